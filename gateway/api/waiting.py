"""Requests that wait for a change: woken by signals, without a thread or a connection in the meantime."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.answers import etag_of, is_known, tagged_answer
from gateway.store.signals import Waiter
from gateway.web.state import Closing, closing_of, gateway_of, readers_of

MAX_WAIT_S = 60.0

Value = TypeVar("Value")

_WAIT_PREFERENCE = re.compile(r"\s*wait\s*=\s*\"?(\d{1,6})\"?\s*(?:;.*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reading(Generic[Value]):
    """What the rows say at one moment."""

    value: Value
    is_done: bool  #: there is nothing to wait for
    look_again_s: float | None = None  #: something changes by the clock alone after so many seconds


async def wait_until_done(
    request: Request, topic: str, read: Callable[[], Reading[Value]], wait_s: float, *, reads_at_end: bool = True
) -> Reading[Value]:
    """The first reading that is done, or the last one before the time is up or the process ends.

    ``read`` is called in a thread, with its own transaction: at first, after
    each signal, and when the time is up; not then for those who ask again
    anyway. Raises: what it raises.
    """
    closing = closing_of(request)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait_s
    with gateway_of(request).database.signals.waiting(topic) as waiter:
        while True:
            reading = await read_in_turn(request, read)
            left_s = deadline - loop.time()
            if reading.is_done or left_s <= 0:
                return reading
            again_s = left_s if reading.look_again_s is None else min(left_s, reading.look_again_s)
            if not await _wait(waiter, closing, again_s):
                return reading
            if not reads_at_end and loop.time() >= deadline:
                return reading


async def read_in_turn(request: Request, read: Callable[[], Value]) -> Value:
    """What ``read`` gives, called in one of the few threads for those who wait. Raises: what it raises."""
    return await asyncio.get_running_loop().run_in_executor(readers_of(request), read)


def preferred_wait_s(request: Request) -> int | None:
    """The seconds of ``Prefer: wait=N``, at most MAX_WAIT_S; None without one (RFC 7240, section 4.3)."""
    for header in request.headers.getlist("prefer"):
        for preference in header.split(","):
            if found := _WAIT_PREFERENCE.fullmatch(preference):
                return min(int(found[1]), int(MAX_WAIT_S))
    return None


async def answer_when_done(
    request: Request, topic: str, read: Callable[[], Reading[bytes]], wait_s: float | None
) -> Response:
    """The body that ``read`` gives: now, or after waiting up to ``wait_s``.

    With If-None-Match the wait is for another version, without it for ``Reading.is_done``.
    """
    if not wait_s:
        return tagged_answer(request, (await run_in_threadpool(read)).value)
    if "if-none-match" in request.headers:
        read = partial(_until_changed, request, read)
    return tagged_answer(request, (await wait_until_done(request, topic, read, wait_s)).value)


def _until_changed(request: Request, read: Callable[[], Reading[bytes]]) -> Reading[bytes]:
    reading = read()
    return replace(reading, is_done=not is_known(request, etag_of(reading.value)))


async def _wait(waiter: Waiter, closing: Closing, timeout_s: float) -> bool:
    """False when the process ends: nobody waits any more, and a thousand need not read once more."""
    if not closing.has_begun:
        await waiter.wait(timeout_s)
    return not closing.has_begun
