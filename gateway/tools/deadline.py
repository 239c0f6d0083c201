"""A time limit for work that cannot be interrupted."""

from collections.abc import Callable
from concurrent.futures import Future, wait
from threading import Thread

from gateway.tools.base import InDoubt, Outcome


def finish_within(timeout_s: float, work: Callable[[], Outcome]) -> Outcome:
    """Do ``work`` in a thread of its own; past ``timeout_s`` its outcome is in doubt, because it goes on running.

    The thread starts with an empty context, so a tool does not find itself inside the caller's workflow, and it
    does not keep the process from ending.
    """
    future: Future[Outcome] = Future()

    def carry() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    Thread(target=carry, name="tool-call", daemon=True).start()
    wait([future], timeout=timeout_s)
    if future.done():
        return future.result()
    return InDoubt(f"The tool did not finish within {timeout_s:g} s and may still be running.")
