"""The thread that sends what is due, in whichever process a worker runs.

It sleeps until somebody says that there is something to send, or until the
next attempt is due. No transaction is open while it sends.
"""

import asyncio
import logging
import threading
from collections import Counter
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from gateway.domain.delivery import Outcome, Target
from gateway.errors import DatabaseUnavailable, GatewayError
from gateway.notifications.reviewers import Reviewers
from gateway.notifications.webhook import Webhooks
from gateway.store.deliveries import TOPIC
from gateway.store.signals import Waiter
from gateway.usecases import deliveries, notices
from gateway.usecases.deliveries import Message
from gateway.usecases.gateway import Gateway
from gateway.usecases.notices import Notice

AT_ONCE = 16  # messages
OF_ONE_OWNER = 4  # of them: a receiver that is slow holds up nobody else's
LOOK_EVERY_S = 30.0  # unasked: at what was queued while nobody could be told
LOOK_AGAIN_S = 1.0  # at what is due, but somebody else's just now; and after a failure of the database
TELL_TIMEOUT_S = 30.0
STOP_AFTER_S = 2.0  # what is being sent when the process ends may take so long
RECORD_TRIES = 3

_log = logging.getLogger(__name__)


class Dispatcher:
    """One thread with an event loop: a few messages at once, each of them claimed before it is sent."""

    def __init__(self, gateway: Gateway, webhooks: Webhooks, reviewers: Reviewers | None) -> None:
        self._gateway = gateway
        self._webhooks = webhooks
        self._reviewers = reviewers
        self._sending: dict[asyncio.Task[None], str] = {}  # -> owner
        self._waiter: Waiter | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._carry, name="deliveries", daemon=True)

    def start(self) -> None:
        """What is due is sent from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Nothing is begun any more; what was being sent has ended, or is sent again by another process."""
        self._stopping.set()
        self._gateway.database.signals.publish([TOPIC])
        if self._thread.is_alive():
            self._thread.join(STOP_AFTER_S + 1.0)

    def _carry(self) -> None:
        # Not asyncio.run, which waits for threads: a service may keep one of them for long.
        loop = asyncio.new_event_loop()
        loop.run_until_complete(self._run())
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()

    async def _run(self) -> None:
        with self._gateway.database.signals.waiting(TOPIC) as self._waiter:
            while not self._stopping.is_set():
                await self._waiter.wait(await self._begin_what_is_due())
        await self._finish()

    async def _begin_what_is_due(self) -> float:
        """Every message that is due and for which there is room is being sent; when to look again, in seconds."""
        try:
            callbacks_s = await self._begin_callbacks()
            return min(callbacks_s, await self._begin_notices())
        except GatewayError as error:
            _log.warning("sending put off", extra={"event": "deliveries.put_off", "code": error.code})
        except Exception:
            # A fault with one message must not end the sending of the others.
            _log.exception("sending failed", extra={"event": "deliveries.broke"})
        return LOOK_AGAIN_S

    async def _begin_callbacks(self) -> float:
        while not self._stopping.is_set():
            owners = Counter(self._sending.values())
            busy = [owner for owner, count in owners.items() if count >= OF_ONE_OWNER]
            if owners.total() >= AT_ONCE:
                return LOOK_EVERY_S  # the next one that ends wakes us
            due_s = await asyncio.to_thread(deliveries.next_due, self._gateway, Target.CALLBACK, but_owners=busy)
            if due_s is None or due_s > 0:
                return _until(due_s)
            # As many as one owner may have: whose they are is not known before.
            claimed = await asyncio.to_thread(deliveries.claim_due, self._gateway, OF_ONE_OWNER, but_owners=busy)
            for message in claimed:
                self._begin(message.owner, self._send(message))
            if not claimed:
                return LOOK_AGAIN_S
        return LOOK_EVERY_S

    async def _begin_notices(self) -> float:
        reviewers = self._reviewers
        if reviewers is None or notices.OWNER in self._sending.values():
            return LOOK_EVERY_S
        due_s = await asyncio.to_thread(deliveries.next_due, self._gateway, Target.NOTIFY)
        if due_s is None or due_s > 0:
            return _until(due_s)
        claimed = await asyncio.to_thread(notices.claim_due, self._gateway)
        for notice in claimed:
            self._begin(notices.OWNER, self._tell(reviewers, notice))
        return LOOK_EVERY_S if claimed else LOOK_AGAIN_S

    def _begin(self, owner: str, sending: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(sending)
        self._sending[task] = owner
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        del self._sending[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("ending not recorded", extra={"event": "deliveries.not_recorded", "error": repr(type(error))})
        if self._waiter is not None:
            self._waiter.wake(TOPIC)

    async def _send(self, message: Message) -> None:
        try:
            outcome = await self._webhooks.send(message)
        except asyncio.CancelledError:
            await asyncio.to_thread(deliveries.give_back, self._gateway, message)
            raise
        except Exception:
            # A message that cannot be sent at all must not be tried for ever.
            _log.exception("sending broke off", extra={"event": "delivery.broke_off", "delivery_id": message.id})
            outcome = Outcome(is_delivered=False, error="The message could not be sent.")
        await _recorded(partial(deliveries.record, self._gateway, message, outcome))

    async def _tell(self, reviewers: Reviewers, notice: Notice) -> None:
        try:
            async with asyncio.timeout(TELL_TIMEOUT_S):
                outcome = await asyncio.to_thread(reviewers.tell, notice)
        except TimeoutError:
            outcome = Outcome(is_delivered=False, error=f"No answer came within {TELL_TIMEOUT_S:g} s.")
        except asyncio.CancelledError:
            await asyncio.to_thread(notices.give_back, self._gateway, notice)
            raise
        await _recorded(partial(notices.record, self._gateway, notice, outcome))

    async def _finish(self) -> None:
        """What is being sent has ended, or is given back."""
        sending = list(self._sending)
        if sending:
            await asyncio.wait(sending, timeout=STOP_AFTER_S)
        for task in sending:
            task.cancel()
        await asyncio.gather(*sending, return_exceptions=True)
        await self._webhooks.close()


def _until(due_s: float | None) -> float:
    return LOOK_EVERY_S if due_s is None else min(due_s, LOOK_EVERY_S)


async def _recorded(record: Callable[[], None]) -> None:
    """It is in the database, if that comes back soon; otherwise the message is sent again, under the same id."""
    for _ in range(RECORD_TRIES - 1):
        try:
            return await asyncio.to_thread(record)
        except DatabaseUnavailable:
            await asyncio.sleep(LOOK_AGAIN_S)
    return await asyncio.to_thread(record)
