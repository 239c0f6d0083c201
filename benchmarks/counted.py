"""``countersign`` with its statements counted: ``python -m benchmarks.counted FILE serve …``.

The number stands in FILE, eight bytes in the machine's order, at any moment.
What the listener sends on its own connection is not in it: an echo every some seconds.
"""

import mmap
import sqlite3
import struct
import sys
import threading
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Pool, event

from gateway.cli import main


def read_count(file: Path) -> int:
    """The statements so far."""
    number: int = struct.unpack("q", file.read_bytes())[0]
    return number


def _count_into(file: Path) -> None:
    file.write_bytes(struct.pack("q", 0))
    with file.open("r+b") as opened:
        memory = mmap.mmap(opened.fileno(), 8)
    lock, number = threading.Lock(), 0

    def note(*_: Any) -> None:
        nonlocal number
        with lock:
            number += 1
            struct.pack_into("q", memory, 0, number)

    class Cursor(psycopg.Cursor[Any]):
        def execute(self, *arguments: Any, **options: Any) -> "Cursor":
            note()
            return super().execute(*arguments, **options)

    # By the drivers: not every statement passes SQLAlchemy on its way.
    @event.listens_for(Pool, "connect")
    def _count(connection: Any, _record: Any) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.set_trace_callback(note)
        else:
            connection.cursor_factory = Cursor


if __name__ == "__main__":
    _count_into(Path(sys.argv.pop(1)))
    main()
