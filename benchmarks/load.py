"""Many requests at a time with little cost of its own: bytes over kept-alive connections, nothing else."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from urllib.parse import urlsplit


class Connection:
    """One kept-alive connection to a server."""

    def __init__(self, netloc: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._netloc = netloc
        self._reader = reader
        self._writer = writer

    def send(self, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> None:
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self._netloc}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self._writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    async def read_head(self) -> tuple[int, bytes]:
        """The status, and the head of the answer. Raises: ConnectionError."""
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            raise ConnectionError("closed by the server") from error
        return int(head.split(b" ", 2)[1]), head

    async def read_line(self) -> bytes:
        """The next line of an answer without a length; empty at its end."""
        return await self._reader.readline()

    async def answer(self) -> tuple[int, bytes]:
        """The status and the body of the answer. Raises: ConnectionError."""
        status, head = await self.read_head()
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        return status, await self._reader.readexactly(length)

    async def ask(self, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> tuple[int, bytes]:
        """The status and the body of the answer to this request. Raises: ConnectionError."""
        self.send(method, path, headers, body)
        return await self.answer()


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncIterator[Connection]:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        yield Connection(parts.netloc, reader, writer)
    finally:
        writer.close()


@contextlib.asynccontextmanager
async def connected_often(url: str, count: int) -> AsyncIterator[list[Connection]]:
    """So many connections, all open."""
    async with contextlib.AsyncExitStack() as open_ones:
        yield [await open_ones.enter_async_context(connected(url)) for _ in range(count)]


async def post_many(
    url: str, request_of: Callable[[int], tuple[str, dict[str, str], bytes]], *, count: int, connections: int
) -> list[float]:
    """The seconds that each of ``count`` POSTs (path, headers, body) took; any answer but 2xx is an error."""
    numbers = iter(range(count))
    times_s: list[float] = []

    async def client() -> None:
        async with connected(url) as connection:
            for number in numbers:
                path, headers, body = request_of(number)
                began_s = time.perf_counter()
                status, answer = await connection.ask("POST", path, headers, body)
                times_s.append(time.perf_counter() - began_s)
                if not 200 <= status < 300:
                    raise RuntimeError(f"{status}: {answer[:300]!r}")

    await asyncio.gather(*(client() for _ in range(connections)))
    return times_s
