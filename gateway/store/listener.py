"""Hearing on PostgreSQL what other processes have committed.

``Database.write`` sends the topics of a transaction with NOTIFY; this hands
them to the signals of this process. On SQLite there is only one process, and
its signals are published by the commit itself.
"""

import json
import logging
import threading

import psycopg

from gateway.store.session import NOTIFY_CHANNEL, Database

LISTEN_SLICE_S = 0.1  # how long ``stop`` may have to wait
FIRST_RECONNECT_S = 0.2
MAX_RECONNECT_S = 5.0
# A dead network is noticed within half a minute, not after the system's two hours.
KEEPALIVE = {"keepalives": 1, "keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3}

logger = logging.getLogger(__name__)


class Listener:
    """One connection and one thread that turn notifications into signals."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Signals of other processes arrive from now on; an unreachable database is tried again."""
        if self._database.is_sqlite or self._thread is not None:
            return
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="countersign-listener", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """The thread has ended and its connection is closed."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        pause_s = FIRST_RECONNECT_S
        while not self._stopping.is_set():
            try:
                with self._connect() as connection:
                    connection.execute(f"LISTEN {NOTIFY_CHANNEL}")
                    pause_s = FIRST_RECONNECT_S
                    # Nobody knows what was missed before this moment.
                    self._database.signals.publish_all()
                    self._listen(connection)
            except Exception as error:  # whatever it is: without this thread nobody is woken
                logger.warning(
                    "The listening connection broke: trying again",
                    extra={"event": "listener.broke", "error": str(error), "pause_s": pause_s},
                )
                self._stopping.wait(pause_s)
                pause_s = min(2 * pause_s, MAX_RECONNECT_S)

    def _connect(self) -> "psycopg.Connection[tuple[object, ...]]":
        _, options = self._database.engine.dialect.create_connect_args(self._database.url)
        return psycopg.connect(**{"connect_timeout": 5, **KEEPALIVE, **options}, autocommit=True)

    def _listen(self, connection: "psycopg.Connection[tuple[object, ...]]") -> None:
        while not self._stopping.is_set():
            for notification in connection.notifies(timeout=LISTEN_SLICE_S):
                self._database.signals.publish(json.loads(notification.payload))
