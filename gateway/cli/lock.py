"""SQLite serves one process: who serves or works holds a lock beside the database file."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.errors import DatabaseUnavailable
from gateway.store.session import Database


@contextmanager
def only_process(database: Database) -> Iterator[None]:
    """While the block runs no other process serves this SQLite file; on PostgreSQL any number may.

    The system frees the lock however the process ends. Raises: DatabaseUnavailable naming the other process.
    """
    path = database.url.database
    if not database.is_sqlite or not path:
        yield
        return
    # Never removed: two processes could then hold a lock each, on an old and a new file.
    descriptor = os.open(f"{os.path.realpath(path)}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _take(descriptor, path)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, path: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
        raise DatabaseUnavailable(
            f"Another countersign process (pid {holder}) works on {path}: stop it first, "
            "or use PostgreSQL, which serves many processes."
        ) from None
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
