"""Signing in and out, and what nobody in particular gets to see."""

import pytest

from gateway.domain.permission import Role
from gateway.usecases import accounts
from reviewer_ui.access import TRIES_PER_ACCOUNT, own_path
from tests.factories import ask, call

EMAIL, PASSWORD = "reviewer@example.com", "correct horse battery"


@pytest.fixture
def person(gateway):
    return accounts.create_person(gateway, email=EMAIL, name="Rita", role=Role.REVIEWER, password=PASSWORD)


def sign_in(browser, email=EMAIL, password=PASSWORD, path="/"):
    return browser.press(browser.open(path), "/sign-in", email=email, password=password)


def test_home_is_the_form_to_sign_in_until_somebody_has(stranger, person):
    assert [form.action for form in stranger.open("/").forms] == ["/sign-in"]

    response = sign_in(stranger)

    assert (response.status_code, response.headers["location"]) == (303, "/")
    assert "Inbox" in stranger.open("/").text
    cookie = response.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie


def test_signing_in_leads_to_the_page_that_was_wanted(stranger, person):
    response = stranger.get("/history?verdict=reject")

    assert response.status_code == 303
    answered = sign_in(stranger, path=response.headers["location"])
    assert answered.headers["location"] == "/history?verdict=reject"


def test_whoever_is_signed_in_already_goes_straight_to_the_page_that_was_wanted(reviewer):
    response = reviewer.get("/?next=%2Fhistory")

    assert (response.status_code, response.headers["location"]) == (303, "/history")


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/", "//evil.example/", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)", "",
        "/\tx", "/api/v1/jobs", "/sign-out",
    ],
)  # fmt: skip
def test_signing_in_never_leads_elsewhere(stranger, person, wanted):
    response = stranger.post("/sign-in", {"email": EMAIL, "password": PASSWORD, "next": wanted})

    assert (response.status_code, response.headers["location"]) == (303, "/")


def test_own_path_keeps_pages_of_ours():
    assert own_path("/approvals/apr_1?x=%2F") == "/approvals/apr_1?x=%2F"


@pytest.mark.parametrize("given", [{"password": "wrong horse"}, {"email": "nobody@example.com"}])
def test_wrong_sign_in_says_the_same_and_keeps_the_email(stranger, person, given):
    fields = {"email": EMAIL, "password": PASSWORD, "next": "/history"} | given
    response = stranger.post("/sign-in", fields)

    assert response.status_code == 401
    assert "do not match an active account" in response.text
    assert f'value="{fields["email"]}"' in response.text
    assert 'value="/history"' in response.text
    assert fields["password"] not in response.text
    assert "set-cookie" not in response.headers


def test_disabled_person_cannot_sign_in(stranger, gateway, person):
    accounts.disable_person(gateway, email=EMAIL)

    assert sign_in(stranger).status_code == 401


def test_too_many_tries_are_refused_even_with_the_right_password(stranger, person):
    for _ in range(TRIES_PER_ACCOUNT.amount):
        stranger.post("/sign-in", {"email": "nobody@example.com", "password": "x"})

    response = stranger.post("/sign-in", {"email": "Nobody@example.com ", "password": "x"})

    assert response.status_code == 429
    assert "Too many failed sign-ins" in response.text
    assert sign_in(stranger).status_code == 303  # another account is free


def test_signing_out_ends_the_sign_in_in_the_database(stranger, person):
    sign_in(stranger)
    secret = stranger.client.cookies["countersign"]

    response = stranger.press(stranger.open("/"), "/sign-out")
    stranger.client.cookies.set("countersign", secret)

    assert response.headers["location"] == "/"
    assert [form.action for form in stranger.open("/").forms] == ["/sign-in"]


@pytest.mark.parametrize("path", ["/history", "/tools", "/approvals/apr_x", "/jobs/job_x"])
def test_pages_need_a_person(stranger, path):
    response = stranger.get(path)

    assert (response.status_code, response.headers["location"]) == (303, f"/?next={path.replace('/', '%2F')}")


def test_form_of_somebody_signed_out_leads_back_to_the_page_it_was_on(stranger, gateway):
    (approval,) = ask(gateway, call("write"))

    response = stranger.post(
        f"/approvals/{approval.id}/undo",
        {},
        referer=f"http://localhost/approvals/{approval.id}",
    )

    assert (response.status_code, response.headers["location"]) == (
        303,
        f"/?next=%2Fapprovals%2F{approval.id}&undone=1",
    )
    assert "nothing was done" in stranger.get(response.headers["location"]).text


def test_signing_in_over_plain_http_from_elsewhere_is_refused_with_the_reason(stranger, person):
    response = stranger.client.get("http://gateway.example/")

    assert "COUNTERSIGN_PUBLIC_URL" in response.text
    assert 'name="password"' not in response.text
    posted = stranger.client.post(
        "http://gateway.example/sign-in",
        data={"email": EMAIL, "password": PASSWORD},
        headers={"sec-fetch-site": "same-origin"},
    )
    assert "set-cookie" not in posted.headers
