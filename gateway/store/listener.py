"""Hearing what other processes have committed.

On PostgreSQL ``Database.write`` sends the topics of a transaction with NOTIFY;
this hands them to the signals of this process. Nobody who waits asks the rows
again to be sure of that: it is done here, once for all of them. A connection
on which nothing was heard for a while is asked for an echo, and one that gives
none is made anew; then everybody is woken.

On SQLite one process serves, and its signals are published by the commit
itself. Only commands that change accounts write beside it: what they revoked
is looked for.
"""

import asyncio
import contextlib
import json
import logging
import threading

import psycopg

from gateway.errors import DatabaseUnavailable
from gateway.store import accounts
from gateway.store.session import NOTIFY_CHANNEL, Database

CONNECT_TIMEOUT_S = 5
SILENCE_S = 5.0  # after so long without a word the connection is asked for an echo
ECHO_S = 5.0  # and given up when none has come after so long
LOOK_S = 5.0  # between two looks at revoked credentials
FIRST_RECONNECT_S = 0.2
MAX_RECONNECT_S = 5.0
STOP_TIMEOUT_S = 5.0

# No topics: whoever hears it knows that the connection carries, and nobody is woken.
_ECHO = f"NOTIFY {NOTIFY_CHANNEL}, '[]'"

logger = logging.getLogger(__name__)


class Listener:
    """One thread that turns what others have committed into signals."""

    def __init__(
        self, database: Database, *, silence_s: float = SILENCE_S, echo_s: float = ECHO_S, look_s: float = LOOK_S
    ) -> None:
        self._database = database
        self._silence_s = silence_s
        self._echo_s = echo_s
        self._look_s = look_s
        self._listening: asyncio.Task[None] | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Signals of other processes arrive from now on; an unreachable database is tried again."""
        if self._thread is not None:
            return
        listening = self._look_for_ever() if self._database.is_sqlite else self._listen_for_ever()
        self._listening = asyncio.new_event_loop().create_task(listening)
        self._thread = threading.Thread(target=_run, args=(self._listening,), name="countersign-listener", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """The thread has ended and its connection is closed; one that is dead may take some seconds longer."""
        if self._listening is None or self._thread is None:
            return
        self._listening.get_loop().call_soon_threadsafe(self._listening.cancel)
        self._thread.join(STOP_TIMEOUT_S)
        self._listening = self._thread = None

    async def _listen_for_ever(self) -> None:
        pause_s = FIRST_RECONNECT_S
        while True:
            try:
                async with await self._connect() as connection:
                    await connection.execute(f"LISTEN {NOTIFY_CHANNEL}")
                    pause_s = FIRST_RECONNECT_S
                    # Nobody knows what was missed before this moment.
                    self._database.signals.publish_all()
                    await self._listen(connection)
            except Exception as error:  # whatever it is: without this thread nobody is woken
                logger.warning(
                    "The listening connection broke: trying again",
                    extra={"event": "listener.broke", "error": str(error), "pause_s": pause_s},
                )
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, MAX_RECONNECT_S)

    async def _connect(self) -> "psycopg.AsyncConnection[tuple[object, ...]]":
        _, options = self._database.engine.dialect.create_connect_args(self._database.url)
        options = {"connect_timeout": CONNECT_TIMEOUT_S, **options}
        return await psycopg.AsyncConnection.connect(**options, autocommit=True)

    async def _listen(self, connection: "psycopg.AsyncConnection[tuple[object, ...]]") -> None:
        """Raises: TimeoutError when the connection does not carry any more; psycopg.Error when it says so."""
        while True:
            if await self._hear(connection, self._silence_s):
                continue
            async with asyncio.timeout(self._echo_s):
                await connection.execute(_ECHO)
            if not await self._hear(connection, self._echo_s):
                raise TimeoutError("nothing is heard on it, not even an echo")

    async def _hear(self, connection: "psycopg.AsyncConnection[tuple[object, ...]]", for_s: float) -> bool:
        """What is told during these seconds is passed on at once; True when there was anything."""
        has_heard = False
        async for notification in connection.notifies(timeout=for_s):
            has_heard = True
            self._database.signals.publish(json.loads(notification.payload))
        return has_heard

    async def _look_for_ever(self) -> None:
        seen: tuple[object, ...] | None = None
        while True:
            with contextlib.suppress(DatabaseUnavailable), self._database.glance() as session:
                revoked = accounts.read_revocations(session)
                if revoked != seen:
                    self._database.signals.publish([accounts.CREDENTIALS_TOPIC])
                seen = revoked
            await asyncio.sleep(self._look_s)


def _run(listening: asyncio.Task[None]) -> None:
    loop = listening.get_loop()
    with contextlib.suppress(asyncio.CancelledError):
        loop.run_until_complete(listening)
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
