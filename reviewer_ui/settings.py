"""A person's own settings: how the pages look, their password, their tokens, the browsers they are signed in with."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from gateway.domain.permission import PersonActor
from gateway.errors import GatewayError, NotFound
from gateway.usecases import accounts, own_account
from gateway.web.state import gateway_of, site_of
from reviewer_ui.access import Person, SignInTries, with_cookie
from reviewer_ui.posting import PostedForm
from reviewer_ui.preferences import Preferences, Theme, keep, theme_of
from reviewer_ui.rendering import page, refuse, see_other

PATH = "/settings"
HANDLE_CHARS = 16  # of a sign-in's hash: enough to tell a person's browsers apart

router = APIRouter(include_in_schema=False)


@router.get(PATH)
def show(request: Request, person: Person, done: str = "") -> Response:
    """The person's settings; ``done`` names what was just changed."""
    return _settings_page(request, person, done=done)


@router.post(f"{PATH}/pages")
def set_pages(request: Request, _person: Person, form: PostedForm) -> Response:
    """This browser shows the pages so from now on."""
    preferences = Preferences(theme_of(form.get("theme")), form.get("keys") == "on")
    return keep(request, see_other(f"{PATH}?done=pages"), preferences)


@router.post(f"{PATH}/password")
def set_password(request: Request, person: Person, form: PostedForm) -> Response:
    """The person has a new password, and only this browser is still signed in. Raises: BadSignIn; InvalidRequest."""
    tries: SignInTries = request.app.state.sign_in_tries
    try:
        tries.count(person.email, request.client.host if request.client else "")
        secret = own_account.change_password(
            gateway_of(request), person, old=form.get("old", ""), new=form.get("new", "")
        )
    except GatewayError as error:
        refuse(request, error, _settings_page(request, person, error=error))
    return with_cookie(request, see_other(f"{PATH}?done=password"), secret)


@router.post(f"{PATH}/tokens")
def make_token(request: Request, person: Person, form: PostedForm) -> Response:
    """The person has a new token, which this page alone ever shows: loaded again, it makes no other.

    Raises: InvalidRequest.
    """
    try:
        token = accounts.create_token(gateway_of(request), email=person.email, token_id=form.get("token_id", ""))
    except GatewayError as error:
        refuse(request, error, _settings_page(request, person, error=error))
    return _settings_page(request, person, token=token)


@router.post(f"{PATH}/tokens/revocation")
def revoke_token(request: Request, person: Person, form: PostedForm) -> Response:
    """The person's token is not taken any more. Raises: NotFound."""
    own_account.revoke_own_token(gateway_of(request), person, form.get("token", ""))
    return see_other(f"{PATH}?done=token")


@router.post(f"{PATH}/sign-ins/end")
def end_sign_in(request: Request, person: Person, form: PostedForm) -> Response:
    """That browser is signed out. Raises: NotFound."""
    gateway = gateway_of(request)
    handle = form.get("sign_in", "")
    account = own_account.read_account(gateway, person, None)
    found = [row.secret_sha256 for row in account.sign_ins if handle == row.secret_sha256[:HANDLE_CHARS]]
    if not found:
        raise NotFound("You are not signed in there any more.")
    own_account.end_sign_in(gateway, person, found[0])
    return see_other(f"{PATH}?done=sign-in")


@router.get(f"{PATH}/pages")
@router.get(f"{PATH}/password")
@router.get(f"{PATH}/tokens")
@router.get(f"{PATH}/tokens/revocation")
@router.get(f"{PATH}/sign-ins/end")
def show_again(_person: Person) -> Response:
    """A form's address, opened as a page: its answer was shown there."""
    return see_other(PATH)


def _settings_page(
    request: Request,
    person: PersonActor,
    *,
    done: str = "",
    token: str | None = None,
    error: GatewayError | None = None,
) -> Response:
    gateway = gateway_of(request)
    account = own_account.read_account(gateway, person, request.cookies.get(site_of(request).cookie_name))
    with gateway.database.read() as session:
        now = gateway.database.now(session)
    return page(
        request,
        "settings.html",
        account=account,
        themes=list(Theme),
        handle_chars=HANDLE_CHARS,
        done=_DONE.get(done),
        token=token,
        next_token_id=accounts.new_token_id(),
        error=error,
        now=now,
    )


_DONE = {
    "pages": "The pages look so in this browser from now on.",
    "password": "Your password is changed. Every other browser is signed out.",
    "token": "The token is not taken any more.",
    "sign-in": "That browser is signed out.",
}
