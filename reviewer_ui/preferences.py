"""How somebody wants the pages to look and behave, kept by their browser."""

from dataclasses import dataclass
from enum import StrEnum
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response

from gateway.web.state import site_of


class Theme(StrEnum):
    SYSTEM = "system"  #: as the machine does
    LIGHT = "light"
    DARK = "dark"


THEME_COOKIE, KEYS_COOKIE = "countersign_theme", "countersign_keys"
ZONE_COOKIE = "countersign_zone"  #: set by ``clock.js``: only scripts know where a browser is
KEPT_S = 365 * 24 * 3600
MAX_ZONE_CHARS = 64


@dataclass(frozen=True, slots=True)
class Preferences:
    """``has_keys``: single keys do something (WCAG 2.1.4 asks for a way to switch them off).

    ``zone``: the browser's, which times are shown in; None where it has not said.
    """

    theme: Theme = Theme.SYSTEM
    has_keys: bool = True
    zone: ZoneInfo | None = None


def read_preferences(request: Request) -> Preferences:
    """What the browser keeps; anything else in its cookies is as if nothing was kept."""
    return Preferences(
        theme_of(request.cookies.get(THEME_COOKIE)),
        request.cookies.get(KEYS_COOKIE) != "off",
        zone_of(request.cookies.get(ZONE_COOKIE)),
    )


def theme_of(word: str | None) -> Theme:
    """The theme of this name, the machine's for any other word."""
    return Theme(word) if word in set(Theme) else Theme.SYSTEM


def zone_of(name: str | None) -> ZoneInfo | None:
    """The zone of this name in the IANA database (``Europe/Paris``); None for any other text."""
    if not name or len(name) > MAX_ZONE_CHARS:
        return None
    try:
        return ZoneInfo(name)
    except (ValueError, LookupError, OSError):  # OSError: the name of a folder of zones
        return None


def keep(request: Request, response: Response, preferences: Preferences) -> Response:
    """The response, after which the browser keeps these."""
    is_secure = site_of(request).is_secure
    for name, value in ((THEME_COOKIE, preferences.theme), (KEYS_COOKIE, "on" if preferences.has_keys else "off")):
        response.set_cookie(name, value, max_age=KEPT_S, httponly=True, samesite="lax", secure=is_secure)
    return response
