"""Every command with its options. The code behind a command is imported when it is called: help answers at once."""

from pathlib import Path
from typing import Annotated, Any

import typer

from gateway import __version__
from gateway.cli.memory import put_together
from gateway.domain.permission import Role, Scope
from gateway.errors import NotAvailable

DEFAULT_PORT = 8000


def _group(help_text: str, **options: Any) -> typer.Typer:
    return typer.Typer(
        help=help_text, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, **options
    )


app = _group("A self-hosted approval gateway for Mistral agents.", name="countersign")
user = _group("People who decide, configure or audit.")
token = _group("Personal access tokens.")
key = _group("The keys of apps.")
audit = _group("The log of decisions.")
rules = _group("Rules.")
tools = _group("The tools that may be called.")
app.add_typer(user, name="user")
app.add_typer(token, name="token")
app.add_typer(key, name="key")
app.add_typer(audit, name="audit")
app.add_typer(tools, name="tools")
app.add_typer(rules, name="rules", hidden=True)

Host = Annotated[str, typer.Option(help="The address to listen at.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="The port to listen at; 0 takes a free one.")]
Email = Annotated[str, typer.Option(help="The person's e-mail address.")]
PasswordStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]

_LATER: dict[str, Any] = {
    "hidden": True,
    "context_settings": {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
}


def _show_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"countersign {__version__}")
        raise typer.Exit


@app.callback()
def countersign(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    """What can be said without a command."""


@app.command()
def demo(
    port: Port = DEFAULT_PORT,
    host: Host = "127.0.0.1",
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over: the demo's own files are removed.")] = False,
) -> None:
    """Start the product with sample data."""
    with put_together():
        from gateway.cli.demo import run_demo

    run_demo(host, port, is_fresh=fresh)


@app.command()
def serve(
    host: Host = "127.0.0.1",
    port: Port = DEFAULT_PORT,
    no_worker: Annotated[bool, typer.Option("--no-worker", help="Leave the work to `countersign worker`.")] = False,
) -> None:
    """Serve API and reviewer pages, with a worker."""
    with put_together():
        from gateway.cli.serve import run_serve

    run_serve(host, port, with_worker=not no_worker)


@app.command()
def worker() -> None:
    """Run a worker alone."""
    with put_together():
        from gateway.cli.worker import run_worker

    run_worker()


@app.command()
def migrate() -> None:
    """Bring the database to this version's schema."""
    from gateway.cli.migrate import run_migrate

    run_migrate()


@user.command("create")
def create_user(
    email: Email,
    role: Annotated[Role, typer.Option(help="A reviewer decides, an admin also configures, an auditor only reads.")],
    name: Annotated[str | None, typer.Option(help="As pages and records show it; default: from the e-mail.")] = None,
    password_stdin: PasswordStdin = False,
) -> None:
    """Create a person.

    Without a terminal or --password-stdin a random password is made and printed."""
    from gateway.cli.accounts import create_user

    create_user(email, role, name, password_is_piped=password_stdin)


@user.command("list")
def list_users() -> None:
    """List people: e-mail, name, role, state."""
    from gateway.cli.accounts import list_users

    list_users()


@user.command("password")
def set_password(email: Email, password_stdin: PasswordStdin = False) -> None:
    """Change a person's password.

    Every browser of theirs is signed out."""
    from gateway.cli.accounts import set_password

    set_password(email, password_is_piped=password_stdin)


@user.command("disable")
def disable_user(email: Email) -> None:
    """Take all rights from a person, at once."""
    from gateway.cli.accounts import disable_user

    disable_user(email)


@user.command("enable")
def enable_user(email: Email) -> None:
    """Give a disabled person back what they had."""
    from gateway.cli.accounts import enable_user

    enable_user(email)


@token.command("create")
def create_token(
    user: Annotated[str, typer.Option(help="The e-mail address of the person whose token it is.")],
) -> None:
    """Create a token, printed this once.

    With it a person's scripts decide through the API."""
    from gateway.cli.accounts import create_token

    create_token(user)


@token.command("list")
def list_tokens() -> None:
    """List tokens: id, person, role, creation, state."""
    from gateway.cli.accounts import list_tokens

    list_tokens()


@token.command("revoke")
def revoke_token(token_id: Annotated[str, typer.Option("--id", help="The token's id, as listed.")]) -> None:
    """Take no request with a token any more."""
    from gateway.cli.accounts import revoke_token

    revoke_token(token_id)


@key.command("create")
def create_key(
    app: Annotated[str, typer.Option(help="The app that submits jobs with this key.")],
    scopes: Annotated[str, typer.Option(help="What it may do: submit, read, or both.")] = ",".join(
        (Scope.SUBMIT, Scope.READ)
    ),
) -> None:
    """Create an app's key, printed this once.

    It can never decide."""
    wanted = _scopes(scopes)
    from gateway.cli.accounts import create_key

    create_key(app, wanted)


@key.command("list")
def list_keys() -> None:
    """List keys: id, app, scopes, creation, state."""
    from gateway.cli.accounts import list_keys

    list_keys()


@key.command("revoke")
def revoke_key(key_id: Annotated[str, typer.Option("--id", help="The key's id, as listed.")]) -> None:
    """Take no request with a key any more."""
    from gateway.cli.accounts import revoke_key

    revoke_key(key_id)


@audit.command("verify")
def verify_log(
    head: Annotated[Path | None, typer.Option(hidden=True)] = None,
) -> None:
    """Walk the log and name the first bad row.

    Exit 1 if there is one."""
    if head is not None:
        raise NotAvailable("`countersign audit verify --head` is not available yet.")
    from gateway.cli.audit import verify_log

    raise typer.Exit(verify_log())


@tools.command("check")
def check_tools() -> None:
    """Read all tools and name what is wrong.

    Exit 1 if a header's value is missing."""
    from gateway.cli.tools import check_tools

    raise typer.Exit(check_tools())


@app.command()
def doctor() -> None:
    """Check settings, database, tools and model.

    One line per check; exit 1 if any fails."""
    from gateway.cli.doctor import run_doctor

    raise typer.Exit(run_doctor())


@app.command("mock-mistral")
def mock_mistral(
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen at; 0 takes a free one.")],
    script: Annotated[Path | None, typer.Option(help="A script in TOML; default: the demo's.")] = None,
    host: Host = "127.0.0.1",
    no_validate: Annotated[bool, typer.Option("--no-validate", help="Take also what Mistral would refuse.")] = False,
) -> None:
    """Serve a scripted Mistral API."""
    from gateway.demo.scripted_model import serve

    serve(script, host, port, validate=not no_validate)


@audit.command("head", **_LATER)
@audit.command("export", **_LATER)
@rules.command("replay", **_LATER)
def not_available_yet(context: typer.Context) -> None:
    raise NotAvailable(f"`{context.command_path}` is not available yet.")


def _scopes(text: str) -> frozenset[Scope]:
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in set(Scope):
            raise typer.BadParameter(f"{name!r} is not one of {', '.join(Scope)}.", param_hint="'--scopes'")
    return frozenset(Scope(name) for name in names)
