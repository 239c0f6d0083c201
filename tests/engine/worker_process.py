"""A worker to be run as a program: URL, file of notes, seconds per body, seconds of lease."""

import sys
import time
from pathlib import Path

from gateway.engine.engine import Engine, Handlers
from gateway.store.listener import Listener
from gateway.store.session import Database


def main(url: str, notes: Path, body_s: float, lease_s: float) -> None:
    database = Database(url)
    engine, listener = Engine(database), Listener(database)

    def advance_job(job_id: str) -> None:
        with notes.open("a") as file:
            file.write(f"{job_id}\n")
        time.sleep(body_s)

    listener.start()
    engine.start(
        Handlers(advance_job, lambda _id, _attempt: None), model_concurrency=4, tool_concurrency=4, lease_s=lease_s
    )
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.read()  # until the test closes it
    engine.stop()
    listener.stop()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]))
