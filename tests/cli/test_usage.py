"""Wrong input is exit code 2 and one sentence; help shows what works."""

import shlex
import subprocess
import sys

import pytest

from gateway import __version__
from tests.cli.commands import Commands

WRONG = [
    (["nonsense"], "No such command 'nonsense'."),
    (["user"], "Missing command."),
    (["serve", "--nonsense"], "No such option: --nonsense"),
    (["serve", "--port", "many"], "Invalid value for '--port'"),
    (["serve", "--port", "70000"], "Invalid value for '--port'"),
    (["worker", "more"], "unexpected extra argument"),
    (["user", "create", "--role", "reviewer"], "Missing option '--email'"),
    (["user", "create", "--email", "a@b.c", "--role", "king"], "'king' is not one of"),
    (["token", "create"], "Missing option '--user'"),
    (["key", "create", "--app", "shop", "--scopes", "submit,decide"], "'decide' is not one of submit, read."),
    (["mock-mistral"], "Missing option '--port'"),
]
LATER = [
    ["audit", "head"],
    ["audit", "export", "--format", "csv"],
    ["audit", "verify", "--head", "head.json"],
    ["rules", "replay", "rules.toml"],
]
WRONG_SETTINGS = [
    ({"COUNTERSIGN_LOG_LEVEL": "loud"}, "COUNTERSIGN_LOG_LEVEL: must be DEBUG, INFO, WARNING or ERROR."),
    ({"COUNTERSIGN_UNDO_HOLD_S": "long"}, "COUNTERSIGN_UNDO_HOLD_S"),
    ({"COUNTERSIGN_PUBLIC_URL": "example.com"}, "COUNTERSIGN_PUBLIC_URL: must begin with http"),
    ({"COUNTERSIGN_MISTRAL_SERVER_URL": "localhost:11434"}, "COUNTERSIGN_MISTRAL_SERVER_URL: must begin with http"),
    ({"COUNTERSIGN_DATABASE_URL": "mysql://host/name"}, "COUNTERSIGN_DATABASE_URL must begin with"),
    ({"COUNTERSIGN_DATABASE_URL": "s3cret"}, "COUNTERSIGN_DATABASE_URL is not a database address."),
    ({"MISTRAL_API_KEY_FILE": "no-such-file"}, "MISTRAL_API_KEY_FILE: no-such-file cannot be read"),
]


@pytest.mark.parametrize(("arguments", "sentence"), WRONG)
def test_wrong_input_is_one_sentence(empty: Commands, arguments: list[str], sentence: str):
    code, said = empty.refused(*arguments)

    assert code == 2
    assert sentence in said


@pytest.mark.parametrize("arguments", LATER, ids=" ".join)
def test_what_comes_later_says_so(quick_empty: Commands, arguments: list[str]):
    code, said = quick_empty.refused(*arguments)

    assert code == 2
    assert said.endswith("is not available yet.")


@pytest.mark.parametrize(("environment", "sentence"), WRONG_SETTINGS)
def test_wrong_setting_is_named(quick_empty: Commands, environment: dict[str, str], sentence: str):
    code, said = quick_empty.refused("migrate", **environment)

    assert code == 2
    assert sentence in said
    assert "s3cret" not in said


def test_help_shows_what_works_and_nothing_else(empty: Commands):
    shown = empty.done("--help") + empty.done("audit", "--help")

    for command in ("serve", "worker", "migrate", "user", "token", "key", "audit", "tools", "doctor", "demo", "verify"):
        assert f"\n  {command} " in shown
    for later in ("rules", "head", "export"):
        assert f"\n  {later} " not in shown


def test_no_arguments_show_help(empty: Commands):
    assert empty.done() == empty.done("--help")


def test_reader_that_leaves_is_no_failure_to_talk_about(empty: Commands):
    command = f"{shlex.quote(sys.executable)} -m gateway --help | true"
    result = subprocess.run(["sh", "-c", command], cwd=empty.folder, capture_output=True, text=True, check=False)

    assert result.stderr == ""


def test_folder_that_cannot_be_made_is_one_sentence(quick_empty: Commands):
    (quick_empty.folder / "file").touch()

    code, said = quick_empty.refused("migrate", COUNTERSIGN_DATABASE_URL="sqlite:///file/below/countersign.db")

    assert code == 1
    assert said.startswith("Not a directory: ")


def test_version_is_told(empty: Commands):
    assert empty.done("--version") == f"countersign {__version__}\n"


def test_misspelt_setting_is_warned_of(quick_empty: Commands):
    result = quick_empty.run("migrate", COUNTERSIGN_UNDO_HOLD="1")

    assert result.returncode == 0
    assert "COUNTERSIGN_UNDO_HOLD is no setting (did you mean COUNTERSIGN_UNDO_HOLD_S?): it changes nothing" in (
        result.stderr
    )
