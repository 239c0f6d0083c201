"""What the other figures are compared with: a web framework, one durable row per request, and nothing else.

``python -m benchmarks.bare_app DATABASE_URL PORT``. Rows are written as the
product does it: by one thread, those that came in meanwhile in one commit.
"""

import asyncio
import queue
import sqlite3
import sys
import threading
from collections.abc import Sequence
from typing import Any, Protocol

import psycopg
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from sqlalchemy import make_url

MAX_TOGETHER = 64
TABLE = "CREATE TABLE rows (number INTEGER PRIMARY KEY, body TEXT NOT NULL, verdict TEXT)"

Asked = tuple[str, tuple[Any, ...], "asyncio.Future[None]"]


class Body(BaseModel):
    input: str
    metadata: dict[str, str] = {}


class Store(Protocol):
    """A connection to either database."""

    def write(self, statements: Sequence[tuple[str, tuple[Any, ...]]]) -> None:
        """All are committed."""


class Sqlite:
    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=WAL", "synchronous=FULL"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.execute(TABLE)

    def write(self, statements: Sequence[tuple[str, tuple[Any, ...]]]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        for statement, values in statements:
            self._connection.execute(statement, values)
        self._connection.execute("COMMIT")


class Postgres:
    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)
        self._connection.execute(TABLE)

    def write(self, statements: Sequence[tuple[str, tuple[Any, ...]]]) -> None:
        with self._connection.transaction():
            for statement, values in statements:
                self._connection.execute(statement.replace("?", "%s"), values)


class Writer:
    """One thread that commits what has come in."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._asked: queue.SimpleQueue[Asked] = queue.SimpleQueue()
        threading.Thread(target=self._run, daemon=True).start()

    async def write(self, statement: str, *values: Any) -> None:
        """It is committed."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._asked.put((statement, values, done))
        await done

    def _run(self) -> None:
        while True:
            together = [self._asked.get()]
            while len(together) < MAX_TOGETHER and not self._asked.empty():
                together.append(self._asked.get())
            self._store.write([(statement, values) for statement, values, _ in together])
            together[0][2].get_loop().call_soon_threadsafe(_tell, [done for _, _, done in together])


def _tell(done: list["asyncio.Future[None]"]) -> None:
    for one in done:
        if not one.done():
            one.set_result(None)


def make_app(writer: Writer) -> FastAPI:
    app = FastAPI(docs_url=None, redoc_url=None)
    decided: dict[int, asyncio.Event] = {}

    @app.post("/rows/{number}", status_code=202)
    async def add(number: int, body: Body) -> dict[str, int]:
        await writer.write("INSERT INTO rows (number, body) VALUES (?, ?)", number, body.model_dump_json())
        return {"number": number}

    @app.get("/rows/{number}")
    async def wait(number: int) -> dict[str, int]:
        await decided.setdefault(number, asyncio.Event()).wait()
        return {"number": number}

    @app.post("/rows/{number}/decision")
    async def decide(number: int) -> dict[str, int]:
        await writer.write("UPDATE rows SET verdict = ? WHERE number = ?", "approve", number)
        decided.setdefault(number, asyncio.Event()).set()
        return {"number": number}

    return app


def main(database_url: str, port: int) -> None:
    url = make_url(database_url)
    path = url.database
    store: Store = Sqlite(path) if url.get_backend_name() == "sqlite" and path else Postgres(database_url)
    uvicorn.run(make_app(Writer(store)), host="127.0.0.1", port=port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
