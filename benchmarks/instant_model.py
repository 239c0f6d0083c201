"""A model that answers at once: a program of its own, ``python -m benchmarks.instant_model PORT``.

The first answer of a job calls a tool, the one after its result has no call.
``GET /calls`` tells how many model calls there were, and when the first and the last came in.
"""

import asyncio
import json
import re
import sys
import time
from typing import Any

_HAS_RESULT = re.compile(rb'"role":\s*"tool"')


class Model:
    def __init__(self) -> None:
        self.calls: dict[str, float] = {"count": 0, "first_at_s": 0.0, "last_at_s": 0.0}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await _head(reader):
            found = re.search(rb"content-length:\s*(\d+)", head.lower())
            body = await reader.readexactly(int(found[1])) if found else b""
            answer = self._complete(body) if head.startswith(b"POST") else json.dumps(self.calls).encode()
            lines = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(answer)}\r\n\r\n"
            writer.write(lines.encode() + answer)
        writer.close()

    def _complete(self, body: bytes) -> bytes:
        now_s = time.time()
        self.calls["count"] += 1
        self.calls["first_at_s"] = self.calls["first_at_s"] or now_s
        self.calls["last_at_s"] = now_s
        return _LAST if _HAS_RESULT.search(body) else _FIRST


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


def _completion(content: str, calls: list[dict[str, Any]] | None, reason: str) -> bytes:
    message = {"role": "assistant", "content": content, "tool_calls": calls}
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    choice = {"index": 0, "message": message, "finish_reason": reason}
    body = {"id": "c", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice], "usage": usage}
    return json.dumps(body).encode()


_CALL = {"id": "call00001", "type": "function", "function": {"name": "note", "arguments": '{"text": "ord_1042"}'}}
_FIRST = _completion("", [_CALL], "tool_calls")
_LAST = _completion("Done.", None, "stop")


async def main(port: int) -> None:
    server = await asyncio.start_server(Model().serve, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
