"""What every page is held to: its policy, its forms, its files, its templates."""

import hashlib
import re
import tomllib
from pathlib import Path

import pytest

from reviewer_ui.rendering import STATIC_FOLDER
from tests.factories import ask, call

PACKAGE = STATIC_FOLDER.parent
TEMPLATES = sorted((PACKAGE / "templates").glob("*.html"))
PATHS = ["/", "/history", "/tools", "/settings", "/approvals/{approval}", "/jobs/{job}"]
FRAGMENTS = ["/inbox/rows", "/approvals/{approval}/standing?seen=9"]
REFUSED = ["/nothing", "/approvals/apr_x", "/jobs/job_x", "/history?from=x", "/?cursor=x"]
FORMS = [
    "/sign-in", "/sign-out", "/approvals/{approval}/decision", "/approvals/{approval}/undo",
    "/approvals/{approval}/resolution", "/approvals/{approval}/sign-in", "/approvals/{approval}/extend",
    "/approvals/{approval}/assignment",
    "/approvals/{approval}/edit", "/approvals/{approval}/edits", "/approvals/{approval}/reveal",
    "/jobs/{job}/cancel", "/history/verification", "/inbox/decisions", "/inbox/undo", "/settings/pages",
    "/settings/password", "/settings/tokens", "/settings/tokens/revocation", "/settings/sign-ins/end",
]  # fmt: skip


@pytest.fixture
def approval(gateway):
    return ask(gateway, call("write"))[0]


def at(path, approval):
    return path.format(approval=approval.id, job=approval.job_id)


def nonce_of(response):
    policy = response.headers["content-security-policy"].split("; ")
    assert policy[0] == "default-src 'none'"
    assert "require-trusted-types-for 'script'" in policy
    assert "style-src 'self'" in policy
    assert "form-action 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    (script,) = [part for part in policy if part.startswith("script-src")]
    found = re.fullmatch(r"script-src 'self' 'nonce-([A-Za-z0-9_-]{22})'", script)
    assert found
    return found[1]


@pytest.mark.parametrize("path", PATHS + REFUSED + FRAGMENTS)
def test_every_page_has_the_policy_with_a_nonce_of_its_own(reviewer, approval, path):
    first, second = (reviewer.get(at(path, approval)) for _ in range(2))

    assert nonce_of(first) != nonce_of(second)
    assert first.headers["cache-control"] == "no-store"
    assert first.headers["content-type"] == "text/html; charset=utf-8"
    assert nonce_of(first) in first.text


def test_signed_out_pages_and_refused_forms_have_the_policy(stranger, reviewer, approval):
    nonce_of(stranger.get("/"))
    nonce_of(stranger.post("/sign-in", {"email": "a@example.com", "password": "wrong"}))
    nonce_of(reviewer.post(f"/approvals/{approval.id}/decision", {}))
    nonce_of(reviewer.get("/sign-in"))


@pytest.mark.parametrize("path", PATHS)
def test_elements_that_htmx_acts_for_carry_the_nonce(reviewer, approval, path):
    page = reviewer.open(at(path, approval))
    (nonce,) = {given["nonce"] for tag, given in page.tags if tag == "script"}

    acting = [given for _, given in page.tags if {"hx-get", "hx-boost", "hx-sse:connect"} & given.keys()]

    assert all(given.get("hx-nonce") == nonce for given in acting)
    assert acting


@pytest.mark.parametrize("path", PATHS)
def test_no_page_has_a_style_or_a_script_of_its_own(reviewer, approval, path):
    page = reviewer.open(at(path, approval))

    assert not [given for _, given in page.tags if "style" in given]
    assert "style" not in {tag for tag, _ in page.tags}
    assert not re.search(r"<script[^>]*>[^<]", page.html)


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {},
    ],
)
def test_form_of_another_site_is_refused(reviewer, approval, path, headers):
    response = reviewer.client.post(at(path, approval), data={"verdict": "reject"}, headers=headers)

    assert response.status_code == 403
    assert "must come from this site" in response.text


def test_every_form_on_a_page_is_one_that_was_checked_here(reviewer, approval):
    for path in PATHS:
        for form in reviewer.open(at(path, approval)).forms:
            assert form.method in {"get", "dialog"} or form.action in [at(checked, approval) for checked in FORMS]


def test_form_that_is_too_large_is_refused_as_a_page(reviewer, approval):
    response = reviewer.post(f"/approvals/{approval.id}/decision", {"note": "n" * 3_000_000})

    assert response.status_code in {400, 413}
    nonce_of(response)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_templates_escape_everything(template):
    text = template.read_text()

    assert not re.search(r"\|\s*safe|autoescape|Markup", text)
    # An attribute without quotes could be ended by a space.
    assert not re.search(r" [a-z-]+=\{\{", text)
    assert not re.search(r"\son[a-z]+=|style=|hx-on|js:|javascript:", text)


def test_code_of_the_pages_makes_no_markup_by_hand():
    for path in PACKAGE.glob("*.py"):
        assert not re.search(r"Markup|<[a-z]+[ >]", path.read_text()), path


def test_tests_files_made_by_others_are_the_recorded_ones():
    folder = Path(__file__).parents[1] / "browser" / "vendor"
    recorded = tomllib.loads((folder / "vendor.toml").read_text())["file"]

    for file in recorded:
        assert hashlib.sha256((folder / file["file"]).read_bytes()).hexdigest() == file["sha256"]
    assert {path.name for path in folder.iterdir()} == {file["file"] for file in recorded} | {"vendor.toml"}


def test_files_made_by_others_are_the_recorded_ones():
    vendored = tomllib.loads((STATIC_FOLDER / "vendor.toml").read_text())["file"]

    for file in vendored:
        assert hashlib.sha256((STATIC_FOLDER / file["file"]).read_bytes()).hexdigest() == file["sha256"]
    others = {path.name for path in STATIC_FOLDER.iterdir()} - {file["file"] for file in vendored}
    ours = ("tokens", "base", "layout", "inbox", "review", "fields", "records")
    assert {name for name in others if name.endswith(".css")} == {f"{name}.css" for name in ours}
    assert not [name for name in others if ".min." in name]


def test_htmx_cannot_begin_before_its_guard_is_there(reviewer):
    scripts = [given for tag, given in reviewer.open("/").tags if tag == "script"]
    names = [given["src"].split("/")[-1].split("?")[0] for given in scripts]

    assert names[:2] == ["htmx.min.js", "hx-csp.min.js"]
    # It begins once the page is read, or at once if that is over, as it is for whatever is deferred.
    assert ["defer" in given for given in scripts] == [not name.endswith(".min.js") for name in names]


def test_every_icon_that_a_page_uses_is_in_the_sprite():
    drawn = set(re.findall(r'symbol id="([a-z0-9-]+)"', (STATIC_FOLDER / "icons.svg").read_text()))
    used = {
        name
        for path in [*TEMPLATES, PACKAGE / "states.py"]
        for name in re.findall(r'icon\("([a-z0-9-]+)"|State\("[a-z]+", "([a-z0-9-]+)"', path.read_text())
    }

    assert {a or b for a, b in used} <= drawn


def test_files_may_be_kept_by_browsers_under_their_hash(stranger):
    page = stranger.open("/")
    (address,) = re.findall(r'href="(/static/base.css[^"]*)"', page.html)

    kept, plain = stranger.get(address), stranger.get("/static/base.css")

    assert kept.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert plain.headers["cache-control"] == "no-cache"
    assert kept.headers["content-type"].startswith("text/css")
    assert kept.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/static/nothing.css", "/static/../pages.py", "/static/%2e%2e/pages.py"])
def test_only_the_static_folder_is_served(stranger, path):
    assert stranger.get(path).status_code == 404


def test_unknown_address_is_a_page_and_under_the_api_a_problem_document(stranger):
    assert stranger.get("/nothing").headers["content-type"].startswith("text/html")
    assert stranger.get("/api/nothing").headers["content-type"] == "application/problem+json"


def test_answer_to_a_form_is_not_put_into_the_browsers_history(reviewer, approval):
    response = reviewer.post(f"/approvals/{approval.id}/decision", {})

    assert response.headers["hx-push-url"] == "false"
    assert "hx-push-url" not in reviewer.get("/").headers


def test_no_link_leads_nowhere(reviewer, approval):
    for path in PATHS:
        for link in set(reviewer.open(at(path, approval)).links):
            if not link.startswith("#"):
                assert reviewer.get(link).status_code == 200, link


def test_templates_are_named_so_that_they_are_escaped():
    assert {path.suffix for path in Path(PACKAGE / "templates").iterdir()} == {".html"}
