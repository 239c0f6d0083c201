"""Taking jobs in together: many requests, one thread, one commit.

One commit per job spends most of its time on handing the interpreter and the
writer's lock from thread to thread. What comes in while one commit is under
way is written by the next one, so nobody waits for company.
"""

import asyncio
import queue
import threading
from dataclasses import dataclass

from gateway.domain.permission import Actor
from gateway.errors import DatabaseUnavailable
from gateway.usecases.gateway import Gateway
from gateway.usecases.jobs import Submission, Submitted, submit_many

MAX_TOGETHER = 64


@dataclass(frozen=True, slots=True)
class _Asked:
    actor: Actor
    submission: Submission
    answer: "asyncio.Future[Submitted]"


class Submissions:
    """The submissions of one web process, in the order in which they came."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._waiting: queue.SimpleQueue[_Asked | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def stop(self) -> None:
        """What was asked before is answered; nothing is taken any more."""
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join()

    async def submit(self, actor: Actor, submission: Submission) -> Submitted:
        """The job is committed. Raises: as ``usecases.jobs.submit``."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="submissions", daemon=True)
            self._thread.start()
        answer: asyncio.Future[Submitted] = asyncio.get_running_loop().create_future()
        self._waiting.put(_Asked(actor, submission, answer))
        return await answer

    def _run(self) -> None:
        is_open = True
        while is_open:
            together = [self._waiting.get()]
            while len(together) < MAX_TOGETHER and not self._waiting.empty():
                together.append(self._waiting.get())
            is_open = None not in together
            if asked := [one for one in together if one is not None]:
                self._answer(asked)

    def _answer(self, asked: list[_Asked]) -> None:
        outcomes: list[Submitted | BaseException]
        try:
            outcomes = list(submit_many(self._gateway, [(one.actor, one.submission) for one in asked]))
        except Exception as error:
            if len(asked) > 1 and not isinstance(error, DatabaseUnavailable):
                # One that cannot be written must not take the others down with it.
                for one in asked:
                    self._answer([one])
                return
            outcomes = [error] * len(asked)
        loop = asked[0].answer.get_loop()
        loop.call_soon_threadsafe(_tell, asked, outcomes)


def _tell(asked: list[_Asked], outcomes: list[Submitted | BaseException]) -> None:
    for one, outcome in zip(asked, outcomes, strict=True):
        if one.answer.done():
            # The caller has gone; the job stays, and its key finds it again.
            continue
        if isinstance(outcome, BaseException):
            one.answer.set_exception(outcome)
        else:
            one.answer.set_result(outcome)
