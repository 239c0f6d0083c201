"""When the garbage collector looks through memory: neither while a process is put together, nor through that later."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def put_together() -> Iterator[None]:
    """The block imports without interruption: each look finds nothing to free, and all of them take a tenth of it."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def settle_memory() -> None:
    """The garbage collector leaves alone what starting has made: it looks through some 100 MB of it otherwise.

    Each full look takes tens of milliseconds, in the middle of somebody's request. None goes before it either: of
    two hundred thousand objects it would free some fifteen hundred, in a quarter of a second.
    """
    gc.freeze()
