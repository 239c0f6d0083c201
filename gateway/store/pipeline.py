"""Several statements in one trip to PostgreSQL.

psycopg's own pipeline sends every statement as soon as it is said, waits for
the answer to a transaction's BEGIN, and asks for a flush after its last Sync.
That flush makes PostgreSQL forget for how long the transaction has been idle
(``idle_in_transaction_session_timeout`` begins with the answer to a Sync and
ends with the next message, whatever it is): the locks of a process that froze
were kept for ever. A statement without its Sync is not idle either.
https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-PIPELINING
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import generators
from psycopg.abc import PQGen


class _OneTrip(psycopg.Pipeline):
    """Sends nothing before its end, and then everything with one Sync."""

    def _sync_gen(self) -> PQGen[None]:
        # Asked for after a BEGIN, which goes with the statement that it was said for.
        yield from ()

    def _communicate_gen(self) -> PQGen[None]:
        yield from ()

    def _exit_gen(self) -> PQGen[None]:
        self._enqueue_sync()
        # Without a pause, in which other threads run: a process that froze there had begun statements and sent no Sync.
        while self.command_queue:
            self.command_queue.popleft()()
        yield from generators.send(self.pgconn)
        yield from self._fetch_gen(flush=False)


@contextmanager
def one_trip(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """What is executed in the block has been done after it, and its results can be read then.

    At the beginning of a transaction it may be one statement only: each would say BEGIN. Nobody else may use the
    connection meanwhile.

    Raises: psycopg.Error, the first of the statements'.
    """
    connection._pipeline = pipeline = _OneTrip(connection)
    try:
        with pipeline:
            yield
    finally:
        connection._pipeline = None
