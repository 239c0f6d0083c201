"""Sending one message to an address that an app gave, and to no other one.

The name is resolved once, every address that it has is judged, and the
connection goes to one of those; no redirect is followed and no proxy is used.
"""

import asyncio
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ipaddress import ip_address

import httpx2

from gateway.domain.callback_url import Allowed, CallbackUrl, IPAddress, check_address, check_url, read_url
from gateway.domain.delivery import Outcome
from gateway.domain.shortening import shorten
from gateway.domain.storable import storable
from gateway.errors import CallbackRefused
from gateway.notifications.signing import Headers
from gateway.usecases.deliveries import Message

CONNECT_TIMEOUT_S = 5.0
TOTAL_TIMEOUT_S = 15.0
MAX_ANSWER_BYTES = 64 * 1024
MAX_QUOTED_CHARS = 200
MAX_ADDRESSES = 3  # of one name that are tried before the attempt has failed

_ASKS_TO_WAIT = frozenset({429, 503})

#: The addresses of a host, at this port. Raises: OSError.
Resolve = Callable[[str, int], Awaitable[Sequence[IPAddress]]]


async def resolve(host: str, port: int) -> Sequence[IPAddress]:
    """What this machine's resolver says."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ip_address(str(place[0]).partition("%")[0]) for *_, place in found]


class Webhooks:
    """Sends messages, within one event loop. ``headers`` makes those of each form of message.

    Without ``tls`` the certificates of receivers are checked by the system's store.
    """

    def __init__(
        self,
        allowed: Allowed,
        headers: Mapping[str, Headers],
        *,
        resolve: Resolve = resolve,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._allowed = allowed
        self._tls = tls
        self._headers = headers
        self._resolve = resolve
        self._client: httpx2.AsyncClient | None = None

    async def send(self, message: Message) -> Outcome:
        """How the attempt ended, whatever happens; within ``TOTAL_TIMEOUT_S``."""
        try:
            async with asyncio.timeout(TOTAL_TIMEOUT_S):
                return await self._send(message)
        except TimeoutError:
            return _failed(f"No whole answer came within {TOTAL_TIMEOUT_S:g} s.")
        except CallbackRefused as refusal:
            # Not for good: names move, and settings are mended.
            return _failed(refusal.message)
        except OSError as error:
            return _failed(f"The name of the host could not be resolved ({error.strerror or type(error).__name__}).")
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            return _failed(_reason(error))

    async def close(self) -> None:
        """No connection is left."""
        if self._client is not None:
            await self._client.aclose()

    async def _send(self, message: Message) -> Outcome:
        url = read_url(message.url)
        check_url(url, self._allowed)
        addresses = [url.address] if url.address else list(await self._resolve(url.host, url.port))
        if not addresses:
            return _failed("The name of the host has no address.")
        for address in addresses:
            check_address(url, address, self._allowed)
        *first, last = addresses[:MAX_ADDRESSES]
        for address in first:
            try:
                return await self._post(message, url, address)
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                continue  # nothing was sent
        return await self._post(message, url, last)

    async def _post(self, message: Message, url: CallbackUrl, address: IPAddress) -> Outcome:
        self._client = self._client or _new_client(self._tls)
        now = datetime.now(UTC)
        headers = {**self._headers[message.form](message, now), "Host": url.authority}
        # TLS is spoken with the host of the address, whose certificate must bear its name.
        extensions = {} if url.address else {"sni_hostname": url.host}
        async with self._client.stream(
            "POST", _target(url, address), content=message.body.encode(), headers=headers, extensions=extensions
        ) as response:
            return await _outcome(response, now)


def _new_client(tls: ssl.SSLContext | None) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        verify=tls or True,
        trust_env=False,
        follow_redirects=False,
        headers={
            "User-Agent": "countersign",
            "Accept-Encoding": "identity",
            "Content-Type": "application/json; charset=utf-8",
        },
        timeout=httpx2.Timeout(TOTAL_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
        cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
        # A kept connection would be taken for another name at the same address, too.
        limits=httpx2.Limits(max_keepalive_connections=0, max_connections=None),
    )


def _target(url: CallbackUrl, address: IPAddress) -> httpx2.URL:
    host = f"[{address}]" if address.version == 6 else str(address)
    target = httpx2.URL(f"{url.scheme}://{host}:{url.port}{url.path}")
    if ip_address(target.host) != address:
        raise RuntimeError("The address was read in two ways.")
    return target


async def _outcome(response: httpx2.Response, now: datetime) -> Outcome:
    status = response.status_code
    if response.is_success:
        return Outcome(is_delivered=True, status=status)
    if status == 410:
        return _failed("The receiver answered 410: it wants no more messages.", status=status, is_permanent=True)
    if 300 <= status < 400:
        return _failed(f"The receiver answered {status}: it points to another address, which is not followed.", status)
    quoted = await _quoted(response)
    error = f"The receiver answered {status}" + (f": {quoted}" if quoted else ".")
    wait_s = _retry_after_s(response.headers.get("Retry-After", ""), now) if status in _ASKS_TO_WAIT else None
    return _failed(error, status, retry_after_s=wait_s)


async def _quoted(response: httpx2.Response) -> str:
    """The beginning of what was answered, in one line; the status has said the rest."""
    body = bytearray()
    try:
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) >= MAX_ANSWER_BYTES:
                break
    except (httpx2.HTTPError, httpx2.StreamError):
        pass
    text = storable(body[:MAX_ANSWER_BYTES].decode(errors="replace"))
    return shorten(" ".join(re.sub(r"[^\S ]|[\x00-\x1f\x7f-\x9f]", " ", text).split()), MAX_QUOTED_CHARS)


def _retry_after_s(text: str, now: datetime) -> float | None:
    """Seconds from now on. Source: RFC 9110, section 10.2.3."""
    if re.fullmatch("[0-9]{1,9}", text.strip()):
        return float(text)
    try:
        at = parsedate_to_datetime(text)
        return max(0.0, (at.astimezone(UTC) - now).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None


def _reason(error: Exception) -> str:
    # Past the connection an error's words may quote what was sent: its kind alone is told.
    if isinstance(error, httpx2.ConnectTimeout):
        return f"No connection within {CONNECT_TIMEOUT_S:g} s."
    if isinstance(error, httpx2.ConnectError):
        return shorten(f"No connection: {storable(str(error)) or type(error).__name__}", MAX_QUOTED_CHARS)
    return f"The connection broke, or the answer was none ({type(error).__name__})."


def _failed(
    error: str, status: int | None = None, *, is_permanent: bool = False, retry_after_s: float | None = None
) -> Outcome:
    return Outcome(
        is_delivered=False, status=status, error=error, is_permanent=is_permanent, retry_after_s=retry_after_s
    )
