"""``countersign doctor``"""

import base64

import pytest

from gateway.demo.script import demo_script
from gateway.demo.scripted_model import running
from tests.cli.commands import Commands
from tests.cli.test_tools import HEADERS, TOOL


def findings(output: str) -> dict[str, tuple[str, str]]:
    """check -> (state, reason)"""
    lines = (line.split("  ", 2) for line in output.splitlines())
    return {check.strip(): (state, reason.strip()) for state, check, reason in lines}


def test_installation_in_order_passes(any_cli: Commands):
    with running(demo_script(), validate=False, api_key="right-key") as model:
        any_cli.environment["COUNTERSIGN_MISTRAL_SERVER_URL"] = model.url
        output = any_cli.done("doctor", MISTRAL_API_KEY="right-key", COUNTERSIGN_PUBLIC_URL="https://gate.example.com")

    found = findings(output)
    assert list(found) == [
        "python", "settings", "database", "schema", "engine", "tools", "wording", "model", "public URL", "callbacks",
        "reviewers",
    ]  # fmt: skip
    assert {state for state, _ in found.values()} == {"pass"}
    assert "right-key" not in output


def test_callbacks_say_where_they_go_and_whether_they_are_signed(quick_empty: Commands):
    first, second = ("whsec_" + base64.b64encode(letter * 32).decode() for letter in (b"a", b"b"))
    for secret, words in (
        ("", "to public addresses, not signed"),
        (first, "to public addresses, signed"),
        (f"{first} {second}", "to public addresses, signed with two secrets"),
    ):
        result = quick_empty.run("doctor", COUNTERSIGN_WEBHOOK_SECRET=secret)
        state, reason = findings(result.stdout)["callbacks"]
        assert state == "pass"
        assert reason.startswith(words)
        assert "whsec_" not in result.stdout + result.stderr
    result = quick_empty.run("doctor", COUNTERSIGN_CALLBACK_ALLOW="10.1.0.0/16, hooks.internal")
    assert "and 10.1.0.0/16, hooks.internal" in findings(result.stdout)["callbacks"][1]


def test_secret_that_is_none_is_a_finding_and_not_repeated(quick_empty: Commands):
    result = quick_empty.run("doctor", COUNTERSIGN_WEBHOOK_SECRET="whsec_s3cret")
    state, reason = findings(result.stdout)["callbacks"]
    assert (result.returncode, state) == (1, "fail")
    assert reason.startswith("COUNTERSIGN_WEBHOOK_SECRET: ")
    assert "s3cret" not in result.stdout + result.stderr


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("json://hooks.example.com/s3cret", None),
        ("slack://s3cret", "no address of a service"),
        ("hooks.example.com/s3cret", "no address of a service"),
        ("syslog://s3cret", "syslog:// tells this machine alone"),
    ],
)
def test_address_for_reviewers_is_read_and_nothing_is_sent(quick_empty: Commands, url: str, words: str | None):
    result = quick_empty.run("doctor", COUNTERSIGN_NOTIFY_URL=url, COUNTERSIGN_PUBLIC_URL="https://gate.example.com")
    state, reason = findings(result.stdout)["reviewers"]
    assert state == ("pass" if words is None else "fail")
    assert (words or "nothing was sent") in reason
    assert "s3cret" not in result.stdout + result.stderr


def test_reviewers_need_links(quick_empty: Commands):
    result = quick_empty.run("doctor", COUNTERSIGN_NOTIFY_URL="json://hooks.example.com/")
    state, reason = findings(result.stdout)["reviewers"]
    assert state == "fail"
    assert "needs COUNTERSIGN_PUBLIC_URL" in reason


def test_misspelt_setting_fails(quick_empty: Commands):
    result = quick_empty.run("doctor", COUNTERSIGN_UNDO_HOLD="1")

    state, reason = findings(result.stdout)["settings"]
    assert (result.returncode, state) == (1, "fail")
    assert "COUNTERSIGN_UNDO_HOLD is no setting" in reason


def test_every_trouble_is_named(quick_empty: Commands):
    (quick_empty.folder / "tools.toml").write_text("[[tool]]\nname = 'x'\n")
    with running(demo_script(), validate=False, api_key="right-key") as model:
        result = quick_empty.run(
            "doctor",
            COUNTERSIGN_DATABASE_URL="postgresql://user:s3cret@127.0.0.1:1/name",
            COUNTERSIGN_MISTRAL_SERVER_URL=model.url,
            COUNTERSIGN_PUBLIC_URL="http://gate.example.com",
            MISTRAL_API_KEY="wrong-key",
        )

    found = findings(result.stdout)
    assert result.returncode == 1
    assert {check for check, (state, _) in found.items() if state == "fail"} == {
        "database", "tools", "model", "public URL",
    }  # fmt: skip
    assert "Connection refused" in found["database"][1]
    assert found["schema"] == ("skip", "needs the database")
    assert "tools.toml" in found["tools"][1]
    assert "Mistral answered 401" in found["model"][1]
    assert "COUNTERSIGN_ALLOW_HTTP=true" in found["public URL"][1]
    assert "s3cret" not in result.stdout + result.stderr
    assert "wrong-key" not in result.stdout + result.stderr


def test_fresh_folder_says_what_to_do(quick_empty: Commands):
    result = quick_empty.run("doctor")

    found = findings(result.stdout)
    assert result.returncode == 1
    assert found["database"] == ("fail", "var/countersign.db does not exist: run `countersign migrate`.")
    assert found["model"] == ("fail", "MISTRAL_API_KEY is not set.")


def test_wrong_setting_is_a_finding(quick_empty: Commands):
    result = quick_empty.run("doctor", COUNTERSIGN_LEASE_S="never")

    found = findings(result.stdout)
    assert result.returncode == 1
    assert found["settings"][0] == "fail"
    assert "COUNTERSIGN_LEASE_S" in found["settings"][1]
    assert found["the rest"] == ("skip", "needs the settings")


def test_header_without_a_value_is_a_finding(quick_empty: Commands):
    (quick_empty.folder / "tools.toml").write_text(TOOL.format(risk="high") + HEADERS)

    result = quick_empty.run("doctor")

    state, reason = findings(result.stdout)["tools"]
    assert (result.returncode, state) == (1, "fail")
    for named in ("'refund'", "Authorization", "SHOP_TOKEN", "X-Key", "keys/shop"):
        assert named in reason


def test_missing_tools_file_that_was_named_is_a_finding(quick_empty: Commands):
    result = quick_empty.run("doctor", COUNTERSIGN_TOOLS_FILE="mine.toml")

    assert findings(result.stdout)["tools"] == ("fail", "COUNTERSIGN_TOOLS_FILE: mine.toml does not exist.")


def test_file_that_is_no_database_is_a_finding(quick_empty: Commands):
    (quick_empty.folder / "notes.db").write_text("not a database\n" * 100)

    result = quick_empty.run("doctor", COUNTERSIGN_DATABASE_URL="sqlite:///notes.db")

    state, reason = findings(result.stdout)["database"]
    assert (result.returncode, state) == (1, "fail")
    assert reason.startswith("notes.db is not a SQLite database: ")


@pytest.mark.parametrize(
    ("content", "words"), [(None, "No such file"), (b"rejekted = 'No.'", "rejekted"), (b"\xff", "not UTF-8")]
)
def test_wording_that_cannot_be_used_is_a_finding(quick_empty: Commands, content: bytes | None, words: str):
    if content is not None:
        (quick_empty.folder / "words.toml").write_bytes(content)

    result = quick_empty.run("doctor", COUNTERSIGN_WORDING_FILE="words.toml")

    state, reason = findings(result.stdout)["wording"]
    assert (result.returncode, state) == (1, "fail")
    assert "words.toml" in reason
    assert words in reason
