"""Where this installation is reached, and what follows from that: links, the cookie, whether signing in is safe."""

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

DEFAULT_SIGN_IN_S = 7 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Site:
    """The address that people's browsers use. ``public_url`` has no slash at its end."""

    public_url: str
    allow_http: bool = False  #: signing in over plain http is wanted beyond this machine
    sign_in_max_s: float = DEFAULT_SIGN_IN_S

    @property
    def is_secure(self) -> bool:
        return self.public_url.startswith("https://")

    @property
    def origin(self) -> str:
        """Scheme, host and port, as a browser writes them in ``Origin``."""
        parts = urlsplit(self.public_url)
        return f"{parts.scheme}://{parts.netloc}".lower()

    @property
    def host(self) -> str | None:
        """The host's name or number, without the port."""
        return urlsplit(self.public_url).hostname

    @property
    def cookie_name(self) -> str:
        """``__Host-`` makes browsers refuse the cookie from a subdomain or over http."""
        return "__Host-countersign" if self.is_secure else "countersign"

    def cookie_parameters(self) -> dict[str, Any]:
        """The keyword arguments of ``Response.set_cookie`` and, but for ``max_age``, of ``delete_cookie``."""
        return {
            "httponly": True,
            "samesite": "lax",
            "path": "/",
            "secure": self.is_secure,
            "max_age": int(self.sign_in_max_s),
        }

    def review_url(self, approval_id: str) -> str:
        return f"{self.public_url}/approvals/{approval_id}"

    def job_url(self, job_id: str) -> str:
        return f"{self.public_url}/jobs/{job_id}"

    def refusal_of_sign_in(self, host: str | None) -> str | None:
        """Why nobody can sign in with a browser that reaches this host, in one sentence; None when they can."""
        if self.is_secure or self.allow_http or is_loopback(host):
            return None
        return (
            "Signing in is not possible over plain http from another machine, because the password would travel "
            "unprotected: set COUNTERSIGN_PUBLIC_URL to an https address, or COUNTERSIGN_ALLOW_HTTP=true to accept it."
        )


def is_loopback(host: str | None) -> bool:
    """True for a host name that never leaves the machine."""
    if host is None:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
