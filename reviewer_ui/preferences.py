"""How somebody wants the pages to look and behave, kept by their browser."""

from dataclasses import dataclass
from enum import StrEnum

from starlette.requests import Request
from starlette.responses import Response

from gateway.web.state import site_of


class Theme(StrEnum):
    SYSTEM = "system"  #: as the machine does
    LIGHT = "light"
    DARK = "dark"


THEME_COOKIE, KEYS_COOKIE = "countersign_theme", "countersign_keys"
KEPT_S = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Preferences:
    """``has_keys``: single keys do something (WCAG 2.1.4 asks for a way to switch them off)."""

    theme: Theme = Theme.SYSTEM
    has_keys: bool = True


def read_preferences(request: Request) -> Preferences:
    """What the browser keeps; anything else in its cookies is as if nothing was kept."""
    return Preferences(theme_of(request.cookies.get(THEME_COOKIE)), request.cookies.get(KEYS_COOKIE) != "off")


def theme_of(word: str | None) -> Theme:
    """The theme of this name, the machine's for any other word."""
    return Theme(word) if word in set(Theme) else Theme.SYSTEM


def keep(request: Request, response: Response, preferences: Preferences) -> Response:
    """The response, after which the browser keeps these."""
    is_secure = site_of(request).is_secure
    for name, value in ((THEME_COOKIE, preferences.theme), (KEYS_COOKIE, "on" if preferences.has_keys else "off")):
        response.set_cookie(name, value, max_age=KEPT_S, httponly=True, samesite="lax", secure=is_secure)
    return response
