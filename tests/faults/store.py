"""The store with faults: every public function of it, and both kinds of transaction, can fail, lie or dawdle.

The functions are found by looking, so that a new one is among them from its first day.
"""

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import pytest

import gateway.store
from gateway.errors import DatabaseUnavailable
from gateway.store.session import Database, Session

BEFORE = "before"  #: it has not happened
AFTER = "after"  #: it has happened, and the caller does not hear so
#: Of a transaction, ``after`` is after its commit.
WRITE = "Database.write"
READ = "Database.read"

#: Asked at each place with its name and ``before`` or ``after``; it may raise, or take its time.
Plan = Callable[[str, str], None]


#: How statements go to the database, not what they say.
WAYS_TO_SEND = frozenset({"pipeline"})


def nothing(_name: str, _when: str) -> None:
    """No fault."""


def fail() -> None:
    raise DatabaseUnavailable


def public_functions() -> dict[str, Callable[..., Any]]:
    """``module.function`` of the store -> the function."""
    found: dict[str, Callable[..., Any]] = {}
    for module_info in pkgutil.iter_modules(gateway.store.__path__):
        if module_info.name in WAYS_TO_SEND:
            continue
        module = importlib.import_module(f"{gateway.store.__name__}.{module_info.name}")
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if function.__module__ == module.__name__ and not name.startswith("_"):
                found[f"{module_info.name}.{name}"] = function
    return found


class Faults:
    """What goes wrong: ``plan`` while an act is under way, nothing while the test looks at what came of it."""

    def __init__(self) -> None:
        self.plan: Plan = nothing
        self.reached: set[str] = set()
        self._is_armed = False

    @contextmanager
    def armed(self) -> Iterator[None]:
        self._is_armed = True
        try:
            yield
        finally:
            self._is_armed = False

    def at(self, name: str, when: str) -> None:
        if self._is_armed:
            self.reached.add(name)
            self.plan(name, when)


def install(faults: Faults, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the product has taken hold of a function of the store, it now has the one with faults."""
    faulty = {function: _faulty(faults, name, function) for name, function in public_functions().items()}
    modules = [module for name, module in sys.modules.items() if name.partition(".")[0] in ("gateway", "reviewer_ui")]
    for module in modules:
        for attribute, value in list(vars(module).items()):
            if inspect.isfunction(value) and value in faulty:
                monkeypatch.setattr(module, attribute, faulty[value])
    monkeypatch.setattr(Database, "write", _faulty_transaction(faults, WRITE, Database.write))
    monkeypatch.setattr(Database, "read", _faulty_transaction(faults, READ, Database.read))


def _faulty(faults: Faults, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def call(*given: Any, **named: Any) -> Any:
        faults.at(name, BEFORE)
        result = function(*given, **named)
        faults.at(name, AFTER)
        return result

    return call


def _faulty_transaction(faults: Faults, name: str, transaction: Callable[..., Any]) -> Callable[..., Any]:
    @contextmanager
    def begin(database: Database) -> Iterator[Session]:
        faults.at(name, BEFORE)
        with transaction(database) as session:
            yield session
        faults.at(name, AFTER)

    return begin
