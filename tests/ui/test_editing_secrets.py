"""What looks like a secret, while it is edited: hidden, kept where it was not touched, revealed on record."""

import json

import pytest

from tests.factories import ask, call, load_events
from tests.ui.editing_form import APPROVE, approved, at, fields_of, send
from tests.ui.html_forms import Page

TOKEN = "ghp_" + "a1B2" * 9


def test_secret_is_hidden_until_somebody_reveals_it_and_the_log_says_who(reviewer, gateway):
    details = json.dumps({"token": f"use {TOKEN}", "list": [TOKEN], "note": "x"})
    (made,) = ask(gateway, call("write", details))
    page = reviewer.open(at(made))
    for view in ("form", "json", "changes"):
        assert TOKEN not in reviewer.get(f"{at(made)}?view={view}").text
    assert "Has what looks like a secret: GitHub token." in page.text

    response = send(reviewer, page, made, "/reveal", ("pointer", "/token"), **{"/note": "typed"})

    shown = Page(response.text)
    assert fields_of(shown, made)["/token"] == f"use {TOKEN}"
    assert fields_of(shown, made)["/note"] == "typed"
    assert response.text.count(TOKEN) == 1
    seen = load_events(gateway, made.job_id or "")[-1]
    assert (seen.name, seen.approval_id) == ("approval.revealed", made.id)
    facts = json.loads(seen.data)
    assert (facts["paths"], facts["by"], facts["person_id"]) == (["/token"], reviewer.person.name, reviewer.person.id)
    assert TOKEN not in reviewer.get(at(made)).text


@pytest.mark.parametrize("view", ["form", "json"])
def test_mask_means_unchanged(reviewer, gateway, view):
    details = json.dumps({"token": f"use {TOKEN}", "note": "x"})
    (made,) = ask(gateway, call("write", details))
    page = reviewer.open(f"{at(made)}?view={view}")
    given = fields_of(page, made).get("modified_details", "")

    typed = {"/note": "y"} if view == "form" else {"modified_details": given.replace('"x"', '"y"')}

    assert approved(reviewer, gateway, page, made, **typed) == details.replace('"x"', '"y"')


def test_mask_at_another_place_is_refused(reviewer, gateway):
    (made,) = ask(gateway, call("write", json.dumps({"token": TOKEN, "note": "x"})))
    page = reviewer.open(f"{at(made)}?view=json")

    edited = '{"token": "••••", "note": "••••"}'
    response = send(reviewer, page, made, "/decision", APPROVE, modified_details=edited)

    assert response.status_code == 422
    assert "/note •••• stands for a secret" in Page(response.text).text


def test_auditor_reveals_nothing(auditor, gateway):
    (made,) = ask(gateway, call("write", json.dumps({"token": TOKEN})))

    response = auditor.post(at(made, "/reveal"), {"pointer": "/token"})

    assert response.status_code == 403
    assert TOKEN not in auditor.get(at(made)).text
