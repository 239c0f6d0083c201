"""A store that can fail, and a way past it to what it holds."""

from collections.abc import Iterator

import pytest

from tests.clock import SteppedDatabase
from tests.faults.store import Faults, install
from tests.rows import Ask, reading


@pytest.fixture
def rows_of(stepped_database: SteppedDatabase) -> Iterator[Ask]:
    with reading(stepped_database) as ask:
        yield ask


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Faults:
    faults = Faults()
    install(faults, monkeypatch)
    return faults
