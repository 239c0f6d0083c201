"""The host that an address really leads to, read as browsers read it.

Source: https://url.spec.whatwg.org/#host-parsing
"""

import re
import unicodedata
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from gateway.domain.findings.look_alikes import disguise

_NUMBER = re.compile(r"0[xX][0-9a-fA-F]*|[0-9]+")
_OWN = ("localhost", ".localhost", ".local", ".internal", ".home.arpa")


@dataclass(frozen=True, slots=True)
class Host:
    """``name`` is shown; ``doubts`` say why it may not be what it seems."""

    name: str
    doubts: tuple[str, ...]


def read_host(authority: str) -> Host | None:
    """The host of what stands between ``//`` and the path; None if there is none."""
    user, at, rest = authority.rpartition("@")
    doubts = ["what stands before the @ is a user name, not the host"] if at and user else []
    written = rest.rstrip(")].,;:!*'}") if not rest.startswith("[") else rest.partition("]")[0] + "]"
    name = re.sub(r":[0-9]*$", "", written).lower().rstrip(".")
    if not name:
        return None
    if "%" in name:
        doubts.append("it is written with %-escapes")
    address = number_of_host(name)
    if address is not None:
        return Host(str(address), (*doubts, *_about_address(name, address)))
    return Host(_in_ascii(name), (*doubts, *_about_name(name)))


def number_of_host(name: str) -> IPv4Address | IPv6Address | None:
    """The address that a host is written as, in whatever notation; None for a name."""
    try:
        if name.startswith("["):
            return ip_address(name.strip("[]"))
        parts = [_number(part) for part in unicodedata.normalize("NFKC", name).split(".")]
        if len(parts) > 4 or any(part > 255 for part in parts[:-1]):
            return None
        # The last number fills all the places that are left: 127.1 is 127.0.0.1.
        whole = sum(part << (24 - 8 * index) for index, part in enumerate(parts[:-1])) + parts[-1]
        return IPv4Address(whole) if parts[-1] < 256 ** (5 - len(parts)) else None
    except ValueError:
        return None


def _number(part: str) -> int:
    if not _NUMBER.fullmatch(part) or len(part) > 20:
        raise ValueError(part)
    if part[:2] in {"0x", "0X"}:
        return int(part[2:] or "0", 16)
    return int(part, 8) if part.startswith("0") and part != "0" else int(part)


def _about_address(name: str, address: IPv4Address | IPv6Address) -> list[str]:
    doubts = ["it is a bare address, not a name"]
    if str(address) != name.strip("[]"):
        doubts.append("it is written so that it does not look like one")
    if not address.is_global:
        doubts.append("it is on this machine or in its network")
    return doubts


def _about_name(name: str) -> list[str]:
    doubts = []
    if name.endswith(_OWN):
        doubts.append("it is on this machine or in its network")
    shown = ".".join(_from_punycode(label) for label in name.split("."))
    if shown != name:
        doubts.append(f"it shows as “{shown}”" if shown.isprintable() else "its encoded name cannot be shown")
    elif not name.isascii():
        doubts.append("it is written with letters beyond ASCII")
    if reason := disguise(shown):
        doubts.append(f"it {reason}")
    return doubts


def _from_punycode(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return label.removeprefix("xn--").encode("ascii").decode("punycode")
    except (UnicodeError, OverflowError):
        return label


def _in_ascii(name: str) -> str:
    """The name as it is looked up."""
    labels = unicodedata.normalize("NFKC", name).lower().replace("\u3002", ".").split(".")
    return ".".join(label if label.isascii() else _to_punycode(label) for label in labels)


def _to_punycode(label: str) -> str:
    try:
        return "xn--" + label.encode("punycode").decode("ascii")
    except UnicodeError:
        return "?"
