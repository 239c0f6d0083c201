"""Guards of the product that a test build can do without, to show that the tests here go red then (threats.md, G25)."""

import dataclasses
import os
from collections.abc import Callable
from typing import Any

from tests.crash.replacing import Function, replace

VARIABLE = "CRASH_WITHOUT"  #: names the guard that is taken away


def take_away() -> None:
    """The guard that the environment names is not there; without the variable all of them are."""
    if name := os.environ.get(VARIABLE):
        GUARDS[name]()


def _living_workers_keep_their_work() -> None:
    replace("gateway.engine.engine.Engine.is_executor_alive", lambda _original: lambda *_: False)


def _dead_workers_lose_their_work() -> None:
    replace("gateway.engine.recovery.Recovery._recover", lambda _original: lambda *_: None)


def _a_call_that_was_held_up_is_not_sent() -> None:
    replace("gateway.tools.base.CallContext.is_overdue", lambda _original: lambda *_: False)


def _only_idempotent_tools_are_repeated() -> None:
    def repeating(original: Function) -> Function:
        return lambda entry, *more: original(entry.model_copy(update={"idempotent": True}), *more)

    replace("gateway.tools.tools_file._http_tool", repeating)


def _a_key_submits_once() -> None:
    def forgetting(original: Function) -> Function:
        return lambda *given: dataclasses.replace(original(*given), idempotency_key=None)

    replace("gateway.api.submission.read_submission", forgetting)


GUARDS: dict[str, Callable[[], Any]] = {
    guard.__name__.removeprefix("_"): guard
    for guard in (
        _living_workers_keep_their_work,
        _dead_workers_lose_their_work,
        _a_call_that_was_held_up_is_not_sent,
        _only_idempotent_tools_are_repeated,
        _a_key_submits_once,
    )
}
