"""One transaction: its statements, the rows that it holds, and what follows its end."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
import sqlmodel
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, Dialect

from gateway.store.pipeline import one_trip


@dataclass(frozen=True, slots=True)
class _Unsent:
    sql: str
    parameters: Any
    rows: int | None  #: how many it must write


class Session(sqlmodel.Session):
    """SQLAlchemy's session; beside its own statements it runs those of ``store.prepared`` on the driver's cursor.

    On PostgreSQL a statement of those from which nothing is read is sent with
    the next one that is: half of the round trips are left out. Their order is
    kept, and an error of one is that of the transaction, before its commit.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        #: What ``store.rows`` keeps here: key of a row -> its object, and how its changes are written.
        self.held: dict[Any, tuple[Any, Callable[[], None]]] = {}
        #: Called once this transaction is committed, or once it is not.
        self.after_commit: list[Callable[[], None]] = []
        self.after_rollback: list[Callable[[], None]] = []
        self._open: Connection | None = None
        self._cursor: Any = None
        self._driver: Any = None
        self._unsent: list[_Unsent] = []

    @property
    def dialect(self) -> Dialect:
        return self._opened().dialect

    def run(self, sql: str, parameters: Any) -> Any:
        """The driver's cursor after this statement. Its errors are SQLAlchemy's, like those of every statement."""
        connection = self._opened()
        try:
            if isinstance(self._driver, psycopg.Connection) and self._is_worth_a_pipeline():
                self._run_with_unsent(sql, parameters)
            else:
                self._cursor.execute(sql, parameters)
        except psycopg.Error as error:
            connection._handle_dbapi_exception(error, sql, parameters, self._cursor, None)
        except connection.dialect.loaded_dbapi.Error as error:
            connection._handle_dbapi_exception(error, sql, parameters, self._cursor, None)
        return self._cursor

    def send(self, sql: str, parameters: Any, *, rows: int | None = None) -> None:
        """The statement will have run before the next one from which something is read, and before the commit.

        Raises, then: RuntimeError when it did not write exactly ``rows`` rows.
        """
        self._opened()
        if isinstance(self._driver, psycopg.Connection):
            self._unsent.append(_Unsent(sql, parameters, rows))
        else:
            _check(self.run(sql, parameters), rows)

    def save_changes(self) -> None:
        """Every change that was made to objects so far has been sent."""
        for _, write in self.held.values():
            write()
        if self._new or self.identity_map._modified or self._deleted:
            self.flush()

    def finish(self) -> None:
        """Nothing is left to be sent: the transaction can be committed."""
        self.save_changes()
        self._send_rest()

    def connection(self, *args: Any, **kwargs: Any) -> Connection:
        """SQLAlchemy's connection, for statements that take the usual way."""
        self._send_rest()
        return super().connection(*args, **kwargs)

    def execute(self, *args: Any, **kwargs: Any) -> Any:
        self._send_rest()
        return super().execute(*args, **kwargs)

    def _opened(self) -> Connection:
        if self._open is None:
            self._open = super().connection()
            self._driver = self._open.connection.driver_connection
            self._cursor = self._open.connection.cursor()
        return self._open

    def _is_worth_a_pipeline(self) -> bool:
        """True when there is more to send than the statement itself: others before it, or the transaction's BEGIN."""
        return bool(self._unsent) or self._is_beginning()

    def _is_beginning(self) -> bool:
        return self._driver.info.transaction_status == TransactionStatus.IDLE and not self._driver.autocommit

    def _run_with_unsent(self, sql: str, parameters: Any) -> None:
        unsent, self._unsent = self._unsent, []
        said = [(self._driver.cursor(), each) for each in unsent] + [(self._cursor, _Unsent(sql, parameters, None))]
        # A BEGIN goes with one statement.
        trips = [said[:1], said[1:]] if self._is_beginning() else [said]
        for trip in trips:
            if trip:
                self._run_together(trip)
        for cursor, statement in said:
            _check(cursor, statement.rows)

    def _run_together(self, trip: list[tuple[Any, _Unsent]]) -> None:
        with one_trip(self._driver):
            for cursor, statement in trip:
                cursor.execute(statement.sql, statement.parameters)

    def _send_rest(self) -> None:
        if self._unsent:
            last = self._unsent.pop()
            _check(self.run(last.sql, last.parameters), last.rows)


def _check(cursor: Any, rows: int | None) -> None:
    if rows is not None and cursor.rowcount != rows:
        raise RuntimeError("A row was changed by somebody else.")
