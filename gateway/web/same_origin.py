"""Refusing what another site makes a browser send (cross-site request forgery).

Browsers say where a request comes from in ``Sec-Fetch-Site``, or, over plain
http to another machine, in ``Origin`` alone. Programs that send a key or a
token instead of a cookie are not concerned.
Source: https://owasp.org/www-community/attacks/csrf, https://www.w3.org/TR/fetch-metadata/
"""

from urllib.parse import urlsplit

from starlette.requests import Request

from gateway.errors import CrossSite
from gateway.web.address import Site, is_loopback

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def check_same_origin(request: Request, site: Site) -> None:
    """Raises: CrossSite for a request that changes something, carries our cookie and is not from our own pages."""
    if request.method in SAFE_METHODS or site.cookie_name not in request.cookies:
        return
    require_same_origin(request, site)


def require_same_origin(request: Request, site: Site) -> None:
    """Raises: CrossSite unless the request is from our own pages, cookie or not (signing in has none yet)."""
    fetch_site = request.headers.get("sec-fetch-site")
    if fetch_site is not None:
        is_ours = fetch_site in {"same-origin", "none"}
    else:
        is_ours = _is_our_origin(request.headers.get("origin"), request, site)
    if not is_ours:
        raise CrossSite


def _is_our_origin(origin: str | None, request: Request, site: Site) -> bool:
    if origin is None:
        return False
    if origin.lower() == site.origin:
        return True
    # On this machine, or where plain http was asked for, people may use another name than the public one.
    is_own_host = urlsplit(origin).netloc.lower() == request.headers.get("host", "").lower()
    return is_own_host and (is_loopback(request.url.hostname) or site.allow_http)
