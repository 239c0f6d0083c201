"""Addresses that apps give: which of them the gateway may send to.

Public ones over https, and what the operator allows besides. A name is judged
again by every address that it resolves to, each time something is sent.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from gateway.domain.findings.host import number_of_host
from gateway.errors import CallbackRefused

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network

MAX_CHARS = 2000
_DEFAULT_PORTS = {"http": 80, "https": 443}
_PORTS_BELOW_1024 = frozenset({80, 443})

# RFC 3986, appendix B, for the two schemes. A fragment is of no use to a receiver.
_URL = re.compile(r"(https?)://([^/?#\\]*)([/?][^#\\]*)?", re.IGNORECASE)
_AUTHORITY = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\[\]:@]+)(?::([0-9]{1,5}))?")
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_OWN_NAMES = ("localhost", "local", "internal", "home.arpa", "localdomain", "lan", "intranet", "test", "invalid")

# Written out: ``is_global`` is true for NAT64, 6to4, site-local and multicast addresses, and differs between versions.
# Source: https://www.iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry
_NOT_PUBLIC_V4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    )
)  # fmt: skip
_UNICAST_V6 = IPv6Network("2000::/3")  # what lies outside of it leads to no host of the internet
_NOT_PUBLIC_V6 = tuple(
    IPv6Network(text)
    for text in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3ffe::/16", "3fff::/20")
)


@dataclass(frozen=True, slots=True)
class CallbackUrl:
    """The parts of an address, read once: what was judged is what is connected to."""

    scheme: str
    host: str  #: in ASCII, lower case; an IPv6 address without brackets
    port: int
    path: str  #: with the query; begins with a slash
    address: IPAddress | None  #: when the host is none that must be looked up

    @property
    def authority(self) -> str:
        """The ``Host`` of a request."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Allowed:
    """What may be sent to besides public addresses over https: names, and networks."""

    names: frozenset[str] = frozenset()
    networks: tuple[IPNetwork, ...] = ()

    def has(self, address: IPAddress) -> bool:
        address = _plain(address)
        return any(address in network for network in self.networks)


def read_allowed(text: str) -> Allowed:
    """Hosts and networks with commas between them. Raises: ValueError with a sentence for people."""
    names, networks = set(), []
    for entry in filter(None, (part.strip() for part in text.split(","))):
        try:
            networks.append(ip_network(entry.strip("[]")))
        except ValueError as error:
            name = _ascii_name(entry)
            if name is None or _ends_in_a_number(name):
                reason = " (its host bits are set)" if "host bits" in str(error) else ""
                raise ValueError(f"{entry!r} is neither the name of a host nor a network{reason}") from None
            names.add(name)
    return Allowed(frozenset(names), tuple(networks))


def read_url(text: str) -> CallbackUrl:
    """The parts of the address. Raises: CallbackRefused."""
    if len(text) > MAX_CHARS:
        raise CallbackRefused(f"The address must not be longer than {MAX_CHARS} characters.")
    found = _URL.fullmatch(text)
    if not found or not text.isprintable() or " " in text:
        raise CallbackRefused("The address must be an https URL without blanks, backslashes and fragment.")
    scheme, authority, path = found[1].lower(), found[2], found[3] or "/"
    if "@" in authority:
        raise CallbackRefused("The address must not hold a user name or a password.")
    parts = _AUTHORITY.fullmatch(authority)
    port = int(parts[2] or _DEFAULT_PORTS[scheme]) if parts else 0
    if not parts or not 0 < port < 65536:
        raise CallbackRefused("The address has no usable host and port.")
    host, address = _read_host(parts[1])
    return CallbackUrl(scheme, host, port, path if path.startswith("/") else f"/{path}", address)


def check_url(url: CallbackUrl, allowed: Allowed) -> None:
    """Raises: CallbackRefused for what can be refused without looking the name up."""
    if url.host in allowed.names:
        return
    if url.address is not None:
        check_address(url, url.address, allowed)
        if allowed.has(url.address):
            return
    elif "." not in url.host or url.host.endswith(tuple(f".{name}" for name in _OWN_NAMES)):
        raise CallbackRefused(f"{url.host} is not a public name{_REMEDY}")
    if url.scheme == "http":
        raise CallbackRefused(f"The address must begin with https://: plain http is for hosts that are allowed{_BY}")
    if url.port < 1024 and url.port not in _PORTS_BELOW_1024:
        raise CallbackRefused(f"Port {url.port} belongs to another service than the web{_REMEDY}")


def check_address(url: CallbackUrl, address: IPAddress, allowed: Allowed) -> None:
    """Raises: CallbackRefused when the host leads to ``address`` and nothing may be sent there."""
    if url.host in allowed.names or allowed.has(address) or is_public(address):
        return
    raise CallbackRefused(f"{url.host} leads to an address that is not public{_REMEDY}")


def is_public(address: IPAddress) -> bool:
    """True for an address of a host in the internet, whatever else it may stand for."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_V4)
    return address in _UNICAST_V6 and not any(address in network for network in _NOT_PUBLIC_V6)


_BY = " by COUNTERSIGN_CALLBACK_ALLOW."
_REMEDY = f", and not allowed{_BY}"


def _read_host(text: str) -> tuple[str, IPAddress | None]:
    if text.startswith("["):
        try:
            address = ip_address(text.strip("[]"))
        except ValueError:
            raise CallbackRefused("The address has no usable host and port.") from None
        return str(address), address
    name = _ascii_name(text)
    if name is None:
        raise CallbackRefused("The address has no usable host and port.")
    # As resolvers do, which read 0x7f.1, 017700000001 and 2130706433 as 127.0.0.1.
    number = number_of_host(name)
    if number is not None:
        return str(number), number
    if _ends_in_a_number(name):
        raise CallbackRefused("The address has no usable host and port.")
    return name, None


def _ends_in_a_number(name: str) -> bool:
    """True for what is an address or nothing. Source: https://url.spec.whatwg.org/#ends-in-a-number-checker"""
    last = name.rpartition(".")[2]
    return last.isdigit() or last.startswith("0x")


def _ascii_name(text: str) -> str | None:
    """The name as it is looked up; None for what is none."""
    try:
        # Its own mapping makes ASCII of full-width digits and letters, so that nothing hides behind them.
        name = text.encode("idna").decode("ascii").lower().removesuffix(".")
    except UnicodeError:
        return None
    if not name or len(name) > 253 or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        return None
    return name


def _plain(address: IPAddress) -> IPAddress:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
