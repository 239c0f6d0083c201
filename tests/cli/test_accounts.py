"""``countersign user``, ``token`` and ``key``."""

import os
import pty
import re
import subprocess
import sys

import pytest

from gateway.domain.permission import Scope
from gateway.engine.engine import Engine
from gateway.errors import BadSignIn, Unauthenticated
from gateway.store.session import Database
from gateway.tools.registry import ToolRegistry
from gateway.usecases import accounts
from gateway.usecases.gateway import Gateway
from tests.cli.commands import Commands

RITA = ["--email", "rita@example.com"]


@pytest.fixture
def gateway(cli: Commands):
    """The same database, seen from inside."""
    database = Database(f"sqlite:///{cli.folder}/var/countersign.db")
    yield Gateway(database, Engine(database), ToolRegistry())
    database.dispose()


def create(quick: Commands, given: str = "correct horse\n", *more: str) -> None:
    quick.done("user", "create", *RITA, "--role", "reviewer", "--password-stdin", *more, given=given)


def test_piped_password_signs_in(cli: Commands, gateway: Gateway):
    create(cli)

    assert accounts.sign_in(gateway, email="rita@example.com", password="correct horse")


def test_random_password_stands_alone_on_standard_output(cli: Commands, gateway: Gateway):
    result = cli.run("user", "create", *RITA, "--role", "admin")

    assert accounts.sign_in(gateway, email="rita@example.com", password=result.stdout.removesuffix("\n"))
    assert result.stderr == "Created rita@example.com, admin. The password, shown this once:\n"


def test_password_is_asked_twice_on_a_terminal(cli: Commands, gateway: Gateway):
    keyboard, terminal = pty.openpty()
    command = [sys.executable, "-m", "gateway", "user", "create", *RITA, "--role", "reviewer"]
    with subprocess.Popen(
        command, cwd=cli.folder, env=cli.full_environment(), stdin=terminal, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, start_new_session=True,
    ) as process:  # fmt: skip
        said = answer_prompts(process, keyboard, ["correct horse", "wrong donkey", "correct horse", "correct horse"])
        assert process.wait(timeout=30) == 0, said
    os.close(terminal)
    os.close(keyboard)

    assert "do not match" in said
    assert "horse" not in said
    assert accounts.sign_in(gateway, email="rita@example.com", password="correct horse")


def answer_prompts(process: "subprocess.Popen[bytes]", keyboard: int, answers: list[str]) -> str:
    """What was said; each answer is typed once it is asked for, because asking throws away what was typed before."""
    assert process.stderr is not None
    said = ""
    for answer in answers:
        while not said.endswith(": "):
            heard = os.read(process.stderr.fileno(), 1000).decode()
            assert heard, said
            said += heard
        os.write(keyboard, f"{answer}\n".encode())
        said += "\n"
    return said + process.stderr.read().decode()


@pytest.mark.parametrize(
    ("arguments", "given", "sentence"),
    [
        (["--email", "rita", "--role", "reviewer"], "correct horse", "'rita' is not an e-mail address."),
        ([*RITA, "--role", "reviewer"], "", "A password has at least 8 characters."),
    ],
)
def test_unusable_person_is_refused(quick: Commands, arguments: list[str], given: str, sentence: str):
    code, said = quick.refused("user", "create", *arguments, "--password-stdin", given=given)

    assert (code, said) == (2, sentence)


def test_second_person_with_an_email_is_refused(quick: Commands):
    create(quick)

    code, said = quick.refused("user", "create", *RITA, "--role", "auditor")

    assert (code, said) == (2, "There is already a person with the e-mail rita@example.com.")


def test_people_are_listed_with_tabs_for_scripts(quick: Commands):
    create(quick, "correct horse", "--name", "Rita R.")
    quick.done("user", "create", "--email", "aud@example.com", "--role", "auditor")
    quick.done("user", "disable", "--email", "aud@example.com")

    lines = quick.done("user", "list").splitlines()

    assert lines == ["aud@example.com\taud\tauditor\tdisabled", "rita@example.com\tRita R.\treviewer\tactive"]


def test_disabled_person_cannot_sign_in(quick: Commands, gateway: Gateway):
    create(quick)
    quick.done("user", "disable", *RITA)

    with pytest.raises(BadSignIn):
        accounts.sign_in(gateway, email="rita@example.com", password="correct horse")


def test_new_password_takes_the_place_of_the_old_one(quick: Commands, gateway: Gateway):
    create(quick)
    quick.done("user", "password", *RITA, "--password-stdin", given="battery staple\n")

    assert accounts.sign_in(gateway, email="rita@example.com", password="battery staple")
    with pytest.raises(BadSignIn):
        accounts.sign_in(gateway, email="rita@example.com", password="correct horse")


@pytest.mark.parametrize("command", ["user disable --email", "user enable --email", "token create --user"])
def test_unknown_person_is_named(quick: Commands, command: str):
    code, said = quick.refused(*command.split(), "nobody@example.com")

    assert (code, said) == (2, "There is no person with the e-mail nobody@example.com.")


def test_token_is_that_person(quick: Commands, gateway: Gateway):
    create(quick)
    token = quick.done("token", "create", "--user", "rita@example.com")

    with gateway.database.read() as session:
        actor = accounts.authenticate(session, token.removesuffix("\n"))
        assert actor.owner.startswith("person:")
        with pytest.raises(Unauthenticated):
            accounts.authenticate(session, token.removesuffix("\n") + "x")


@pytest.mark.parametrize(("options", "scopes"), [([], set(Scope)), (["--scopes", "read"], {Scope.READ})])
def test_key_is_that_app_with_its_scopes(quick: Commands, gateway: Gateway, options: list[str], scopes: set[Scope]):
    key = quick.done("key", "create", "--app", "shop", *options)

    with gateway.database.read() as session:
        actor = accounts.authenticate(session, key.removesuffix("\n"))
    assert (actor.owner, actor.scopes) == ("app:shop", scopes)  # type: ignore[union-attr]


TIME = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def listed(output: str) -> list[list[str]]:
    """The cells of each line, with every time as ``TIME``."""
    return [["TIME" if TIME.fullmatch(cell) else cell for cell in line.split("\t")] for line in output.splitlines()]


def test_keys_are_listed_without_secrets_and_revoked_by_id(quick: Commands, gateway: Gateway):
    old = quick.done("key", "create", "--app", "shop").strip()
    new = quick.done("key", "create", "--app", "till", "--scopes", "read").strip()
    old_id, new_id = (key.split("_")[2] for key in (old, new))

    revoked = quick.run("key", "revoke", "--id", old_id)
    shown = quick.done("key", "list")

    assert revoked.stderr == f"Revoked the key {old_id} of shop: no request with it is taken any more.\n"
    assert listed(shown) == [
        [old_id, "shop", "read,submit", "TIME", "revoked"],
        [new_id, "till", "read", "TIME", "active"],
    ]
    with gateway.database.read() as session:
        assert accounts.authenticate(session, new).owner == "app:till"
        with pytest.raises(Unauthenticated):
            accounts.authenticate(session, old)


def test_tokens_are_listed_without_secrets_and_revoked_by_id(quick: Commands, gateway: Gateway):
    create(quick)
    quick.done("user", "create", "--email", "ada@example.com", "--role", "auditor")
    of_ada, old, new = (
        quick.done("token", "create", "--user", f"{name}@example.com").strip() for name in ("ada", "rita", "rita")
    )
    quick.done("user", "disable", "--email", "ada@example.com")

    quick.done("token", "revoke", "--id", old.split("_")[2])
    shown = quick.done("token", "list")

    assert sorted(listed(shown)) == sorted(
        [
            [of_ada.split("_")[2], "ada@example.com", "auditor", "TIME", "disabled"],
            [old.split("_")[2], "rita@example.com", "reviewer", "TIME", "revoked"],
            [new.split("_")[2], "rita@example.com", "reviewer", "TIME", "active"],
        ]
    )
    with gateway.database.read() as session:
        assert accounts.authenticate(session, new).owner.startswith("person:")
        with pytest.raises(Unauthenticated):
            accounts.authenticate(session, old)


@pytest.mark.parametrize("kind", ["key", "token"])
def test_unknown_id_is_refused_and_not_repeated(quick: Commands, kind: str):
    code, said = quick.refused(kind, "revoke", "--id", "cs_app_0123456789ab_s3cret")

    assert (code, said) == (2, f"There is no {kind} with this id: `countersign {kind} list` shows them.")


def test_enabled_person_signs_in_again_and_is_told_of_their_tokens(quick: Commands, gateway: Gateway):
    create(quick)
    quick.done("token", "create", "--user", "rita@example.com")
    quick.done("user", "disable", *RITA)

    said = quick.run("user", "enable", *RITA).stderr

    assert said == (
        "Enabled rita@example.com: signing in is possible again, and 1 token of theirs can be used again.\n"
    )
    assert accounts.sign_in(gateway, email="rita@example.com", password="correct horse")


def test_broken_tools_file_does_not_stop_accounts(quick: Commands):
    (quick.folder / "tools.toml").write_text("[[tool]]\nname = 1\n")

    create(quick)
