"""Many requests at a time with little cost of its own: bytes over kept-alive connections, nothing else."""

import asyncio
import time
from collections.abc import Callable
from urllib.parse import urlsplit


async def post_many(
    url: str, request_of: Callable[[int], tuple[dict[str, str], bytes]], *, count: int, connections: int
) -> list[float]:
    """The seconds that each of ``count`` POSTs took; any answer but 2xx is an error."""
    parts = urlsplit(url)
    numbers = iter(range(count))
    times_s: list[float] = []

    async def client() -> None:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        for number in numbers:
            headers, body = request_of(number)
            lines = [f"POST {parts.path} HTTP/1.1", f"Host: {parts.netloc}", f"Content-Length: {len(body)}"]
            lines += [f"{name}: {value}" for name, value in headers.items()]
            began_s = time.perf_counter()
            writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            answer = await reader.readexactly(length)
            times_s.append(time.perf_counter() - began_s)
            if not head.startswith(b"HTTP/1.1 2"):
                raise RuntimeError(f"{head.splitlines()[0]!r}: {answer[:300]!r}")
        writer.close()

    await asyncio.gather(*(client() for _ in range(connections)))
    return times_s
