"""The switch of the test build: at which point a process dies, and which points were passed.

It is a folder of small files, because it has to outlive the processes that it kills: the tests write orders into it,
every process of the installation looks there at each point, and the first one that comes by obeys.
"""

import fcntl
import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TextIO

VARIABLE = "CRASH_SWITCH"  #: names the folder in the environment of a test build


class Action(StrEnum):
    KILL = "kill"  #: SIGKILL
    FREEZE = "freeze"  #: SIGSTOP, until somebody sends SIGCONT


_SIGNALS = {Action.KILL: signal.SIGKILL, Action.FREEZE: signal.SIGSTOP}


@dataclass(frozen=True, slots=True)
class Order:
    """What the process does that passes this point after ``let_through`` others."""

    point: int
    action: Action = Action.KILL
    let_through: int = 0

    def __str__(self) -> str:
        return f"{self.point} {self.action} {self.let_through}"

    @classmethod
    def read(cls, line: str) -> "Order":
        point, action, let_through = line.split()
        return cls(int(point), Action(action), int(let_through))


@dataclass(frozen=True, slots=True)
class Obeyed:
    """An order that was carried out."""

    point: int
    action: Action
    pid: int


class Switch:
    """One installation's switch, as the tests and as its processes see it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self._orders, self._passed, self._obeyed = (folder / name for name in ("orders", "passed", "obeyed"))
        for path in (self._orders, self._passed, self._obeyed):
            path.touch()
        self._one_at_a_time = threading.Lock()

    def give(self, *orders: Order) -> None:
        """These orders are in force, the next one once the one before was obeyed; earlier ones are not any more."""
        with self._held() as file:
            self._obeyed.write_text("")
            _write(file, orders)

    def withdraw(self) -> None:
        """No order is in force any more."""
        with self._held() as file:
            _write(file, ())

    def obeyed(self) -> list[Obeyed]:
        """Which of the orders that were given last were carried out, in order."""
        with self._held():
            lines = [line.split() for line in self._obeyed.read_text().splitlines()]
        return [Obeyed(int(point), Action(action), int(pid)) for point, action, pid in lines]

    def passed(self) -> Counter[int]:
        """How often each point was passed so far, by all processes together."""
        return Counter(point for point, _ in self._passages())

    def last_at(self, point: int) -> int:
        """The id of the process that passed the point last; 0 for nobody."""
        return next((pid for passed, pid in reversed(self._passages()) if passed == point), 0)

    def _passages(self) -> list[tuple[int, int]]:
        lines = [line.split() for line in self._passed.read_text().splitlines()]
        return [(int(point), int(pid)) for point, pid in lines]

    def ordered_point(self) -> int | None:
        """The point at which something is to happen next."""
        if self._orders.stat().st_size == 0:
            return None
        with self._one_at_a_time, self._held() as file:
            line = file.readline()
        return Order.read(line).point if line else None

    def pass_by(self, point: int) -> None:
        """This process is at the point, and goes on unless it is ordered to die or to freeze here."""
        _append(self._passed, f"{point} {os.getpid()}\n")
        # Around the signal too: no thread of a process that freezes may hold the lock of the files.
        with self._one_at_a_time:
            if (order := self._taken(point)) is not None:
                os.kill(os.getpid(), _SIGNALS[order.action])

    def _taken(self, point: int) -> Order | None:
        """The order that this process has to obey now: nobody else will."""
        if self._orders.stat().st_size == 0:
            return None
        with self._held() as file:
            orders = [Order.read(line) for line in file.read().splitlines()]
            if not orders or orders[0].point != point:
                return None
            order, *later = orders
            if order.let_through > 0:
                _write(file, [replace(order, let_through=order.let_through - 1), *later])
                return None
            _write(file, later)
            _append(self._obeyed, f"{point} {order.action} {os.getpid()}\n")
            return order

    @contextmanager
    def _held(self) -> Iterator[TextIO]:
        with self._orders.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file


def _write(file: TextIO, orders: Sequence[Order]) -> None:
    file.seek(0)
    file.truncate()
    file.writelines(f"{order}\n" for order in orders)
    file.flush()


def _append(path: Path, line: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)
