"""Statements that are put together once and from then on run on the driver's own cursor.

SQLAlchemy makes the SQL, converts the values and owns the connection; only its
way from a statement to the cursor is left out. That way costs more processor
time than SQLite itself, and a decision runs a dozen statements: this is for
those that every decision, call and request runs. All others take the usual way.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Dialect, Executable, Float
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

from gateway.store.transaction import Session

Convert = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class _Compiled:
    sql: str
    names: tuple[str, ...]  #: of the values, in the order of their places on SQLite
    given: Mapping[str, Any]  #: values that stand in the statement itself
    binds: Mapping[str, Convert]
    is_positional: bool
    results: tuple[tuple[int, Convert], ...]  #: columns that are not as the driver gives them

    def parameters(self, values: Mapping[str, Any]) -> Any:
        known, binds = {**self.given, **values}, self.binds
        for name, convert in binds.items():
            known[name] = convert(known[name])
        return tuple([known[name] for name in self.names]) if self.is_positional else known

    def converted(self, rows: Iterable[Sequence[Any]]) -> list[tuple[Any, ...]]:
        if not self.results:
            return [tuple(row) for row in rows]
        converted = []
        for row in rows:
            values = list(row)
            for place, convert in self.results:
                values[place] = convert(values[place])
            converted.append(tuple(values))
        return converted


def _result_processor(kind: TypeEngine[Any], dialect: Dialect) -> Convert | None:
    # psycopg tells the numbers of PostgreSQL's types apart only to refuse unknown ones: it gives floats as floats.
    if isinstance(kind, Float) and dialect.name == "postgresql":
        return None
    return kind._cached_result_processor(dialect, None)


class Prepared:
    """One statement, or one for each kind of database; ``columns`` are those that an INSERT or UPDATE sets."""

    def __init__(self, statement: Executable | Mapping[str, Executable], columns: Sequence[str] | None = None) -> None:
        self._statement = statement
        self._columns = columns
        self._compiled: dict[str, _Compiled] = {}

    def rows(self, session: Session, **values: Any) -> list[tuple[Any, ...]]:
        """All rows, with their values in the order of the statement's columns."""
        compiled = self._compiled_for(session)
        return compiled.converted(session.run(compiled.sql, compiled.parameters(values)).fetchall())

    def row(self, session: Session, **values: Any) -> tuple[Any, ...] | None:
        """The first row."""
        found = self.rows(session, **values)
        return found[0] if found else None

    def change(self, session: Session, **values: Any) -> int:
        """How many rows were written."""
        compiled = self._compiled_for(session)
        return int(session.run(compiled.sql, compiled.parameters(values)).rowcount)

    def send(self, session: Session, *, written: int | None = None, **values: Any) -> None:
        """The statement runs before the next one that is read from, or the commit.

        Raises, then: RuntimeError when it did not write exactly ``written`` rows.
        """
        compiled = self._compiled_for(session)
        session.send(compiled.sql, compiled.parameters(values), rows=written)

    def send_each(self, session: Session, many: Iterable[Mapping[str, Any]]) -> None:
        """Likewise, once with each of these values."""
        for values in many:
            self.send(session, **values)

    def _compiled_for(self, session: Session) -> _Compiled:
        dialect = session.dialect
        compiled = self._compiled.get(dialect.name)
        if compiled is None:
            compiled = self._compiled[dialect.name] = self._compile(dialect)
        return compiled

    def _compile(self, dialect: Dialect) -> _Compiled:
        statement = self._statement[dialect.name] if isinstance(self._statement, Mapping) else self._statement
        compiled = statement.compile(dialect=dialect, column_keys=self._columns)  # type: ignore[attr-defined]
        assert isinstance(compiled, SQLCompiler)  # noqa: S101 (what a statement compiles to)
        binds = {name: parameter.type._cached_bind_processor(dialect) for name, parameter in compiled.binds.items()}
        results = (
            (place, _result_processor(column.type, dialect)) for place, column in enumerate(compiled._result_columns)
        )
        return _Compiled(
            sql=compiled.string,
            names=tuple(compiled.positiontup or compiled.binds),
            given={name: parameter.value for name, parameter in compiled.binds.items() if not parameter.required},
            binds={name: convert for name, convert in binds.items() if convert is not None},
            is_positional=compiled.positional,
            results=tuple((place, convert) for place, convert in results if convert is not None),
        )
