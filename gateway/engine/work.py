"""Running one piece of queued work so that it is neither lost nor in the way."""

import logging
import threading
from collections.abc import Callable

from gateway.errors import DatabaseUnavailable

FIRST_PAUSE_S = 0.2
MAX_PAUSE_S = 5.0

logger = logging.getLogger(__name__)


class WorkFailed(Exception):
    """What DBOS keeps of a failure: the original may quote arguments and secrets, so it goes to the log alone."""


class LeftForRecovery(BaseException):
    """The process stops before the work could be done.

    Not an ``Exception``: DBOS then records no outcome, and the work stays
    pending for whoever recovers it.
    """


def do(body: Callable[[], None], workflow_id: str | None, stopping: threading.Event) -> None:
    """The body has run to its end, however often the database was away meanwhile.

    Raises: WorkFailed for any other failure, once it is logged; LeftForRecovery
    when the process stops while the database is away.
    """
    pause_s = FIRST_PAUSE_S
    while True:
        try:
            return body()
        except DatabaseUnavailable:
            logger.warning(
                "The database is away: the work is tried again",
                extra={"event": "work.delayed", "workflow_id": workflow_id, "pause_s": pause_s},
            )
        except Exception as error:
            logger.exception("Queued work failed", extra={"event": "work.failed", "workflow_id": workflow_id})
            raise WorkFailed(type(error).__name__) from None
        if stopping.wait(pause_s):
            raise LeftForRecovery
        pause_s = min(2 * pause_s, MAX_PAUSE_S)
