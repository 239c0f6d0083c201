"""Rows of the hot tables as objects, written back with what changed of them."""

from collections.abc import Collection, Sequence
from typing import Any, Generic, TypeVar

from sqlalchemy import Table, bindparam, inspect, update
from sqlalchemy import insert as sql_insert
from sqlalchemy.orm import Mapper
from sqlmodel import SQLModel

from gateway.store.prepared import Prepared
from gateway.store.transaction import Session

Row = TypeVar("Row", bound=SQLModel)


class Rows(Generic[Row]):
    """One table's rows, as objects that no session watches.

    ``guard`` is a column that every UPDATE must find as it was read: a row that
    somebody else changed is not overwritten. With ``counts`` the guard is a
    number of versions, which every UPDATE raises. ``without`` are attributes
    that are not read, for lists of many: to look at one of them raises.
    """

    def __init__(
        self, entity: type[Row], *, guard: str | None = None, counts: bool = False, without: Collection[str] = ()
    ) -> None:
        mapper: Mapper[Row] = inspect(entity)
        self.table: Table = entity.__table__  # type: ignore[attr-defined]
        #: Every column in the order of the attributes: what a SELECT for ``make`` and ``hold`` must give.
        attributes = [attribute for attribute in mapper.column_attrs if attribute.key not in without]
        self.columns = tuple(attribute.columns[0] for attribute in attributes)
        self._names = tuple(column.name for column in self.columns)
        self._attributes = tuple(attribute.key for attribute in attributes)
        self._keys = tuple(column.name for column in self.table.primary_key)
        self._guard = guard
        self._counts = counts
        self._new = mapper.class_manager.new_instance
        self._insert = Prepared(sql_insert(self.table), self._names)
        self._updates: dict[tuple[str, ...], Prepared] = {}

    def make(self, values: Sequence[Any]) -> Row:
        """The object of a row that was only read."""
        row: Row = self._new()
        row.__dict__.update(zip(self._attributes, values, strict=True))
        return row

    def hold(self, session: Session, values: Sequence[Any]) -> Row:
        """The object of a row that this transaction has locked: what changes of it is written before the commit.

        A row that is held already is the same object, with its changes.
        """
        read = dict(zip(self._names, values, strict=True))
        key = (self, *(read[name] for name in self._keys))
        held = session.held.get(key)
        if held is None:
            row = self.make(values)
            session.held[key] = row, lambda: self._write_changes(session, row, read)
            return row
        found: Row = held[0]
        return found

    def add(self, session: Session, row: Row) -> None:
        """The new row is in the database."""
        self._insert.send(session, **self.values_of(row))

    def values_of(self, row: Row) -> dict[str, Any]:
        """The row's values by column."""
        stored = row.__dict__
        return {name: stored.get(key) for name, key in zip(self._names, self._attributes, strict=True)}

    def _write_changes(self, session: Session, row: Row, read: dict[str, Any]) -> None:
        now = self.values_of(row)
        changed = tuple(name for name in self._names if now[name] != read[name])
        if not changed:
            return
        if self._counts and self._guard:
            now[self._guard] = read[self._guard] + 1
            setattr(row, self._guard, now[self._guard])
            changed = (*changed, self._guard)
        known = {f"was_{name}": read[name] for name in self._where()}
        self._update_of(changed).send(session, written=1, **known, **{name: now[name] for name in changed})
        read.update(now)

    def _update_of(self, changed: tuple[str, ...]) -> Prepared:
        statement = self._updates.get(changed)
        if statement is None:
            same = [self.table.c[name] == bindparam(f"was_{name}") for name in self._where()]
            statement = self._updates[changed] = Prepared(update(self.table).where(*same), changed)
        return statement

    def _where(self) -> tuple[str, ...]:
        return (*self._keys, self._guard) if self._guard else self._keys
