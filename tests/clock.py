"""A database whose clock a test moves: nobody sleeps, and no deadline is met by accident."""

from datetime import UTC, datetime, timedelta

from gateway.store.session import Database, Session

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
#: Two looks at a clock never give the same time: some numbers of queued work are made of it.
TICK = timedelta(microseconds=1)


class SteppedDatabase(Database):
    """Time stands still between two looks at ``Database.now``, the one clock that deadlines are compared with."""

    moment = START

    def now(self, session: Session) -> datetime:
        self.moment += TICK
        return self.moment

    def pass_time(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)
