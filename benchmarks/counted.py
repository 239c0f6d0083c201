"""``countersign`` with its statements counted: ``python -m benchmarks.counted FILE serve …``.

The number stands in FILE, eight bytes in the machine's order, at any moment.
What goes past SQLAlchemy is not in it: the echoes of the listener.
"""

import mmap
import struct
import sys
import threading
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

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

    @event.listens_for(Engine, "before_cursor_execute")
    def _note(*_: Any) -> None:
        nonlocal number
        with lock:
            number += 1
            struct.pack_into("q", memory, 0, number)


if __name__ == "__main__":
    _count_into(Path(sys.argv.pop(1)))
    main()
