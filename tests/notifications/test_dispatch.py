"""The thread that sends: at once when told, again when due, a few beside each other, and never less than once."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from standardwebhooks import Webhook

from gateway.domain.callback_url import read_allowed
from gateway.domain.delivery import Outcome
from gateway.errors import InvalidSetting
from gateway.notifications import dispatch, reviewers
from gateway.notifications.dispatch import AT_ONCE, OF_ONE_OWNER, Dispatcher
from gateway.notifications.reviewers import Reviewers
from gateway.notifications.signing import standard_headers
from gateway.notifications.webhook import Webhooks
from gateway.store.listener import Listener
from gateway.store.session import Database
from gateway.usecases import deliveries
from gateway.usecases.deliveries import LEASE_S
from gateway.usecases.gateway import Gateway
from gateway.usecases.notices import Notice
from gateway.web.address import Site
from tests.engine.workers import wait_until
from tests.factories import (
    ago,
    answer_turn,
    ask,
    call,
    change_delivery,
    load_deliveries,
    load_delivery,
    make_app,
    make_gateway,
    submit,
)
from tests.fakes import AwayDatabase, RecordingTool
from tests.notifications.receiver import Reply, receiving
from tests.notifications.test_webhook import SECRET
from tests.runner.wire import closed_port

LOOPBACK = read_allowed("127.0.0.0/8")


@pytest.fixture
def gateway(database: Database) -> Gateway:
    return make_gateway(database, RecordingTool(risk="high"), callback_allow=LOOPBACK, tells_reviewers=True)


@contextmanager
def sending(gateway: Gateway, to: Reviewers | None = None) -> Iterator[Dispatcher]:
    """A dispatcher at work, as a worker's process has one."""
    listener = Listener(gateway.database)
    listener.start()
    dispatcher = Dispatcher(gateway, Webhooks(LOOPBACK, {"standard": standard_headers([SECRET])}), to)
    dispatcher.start()
    try:
        yield dispatcher
    finally:
        dispatcher.stop()
        listener.stop()


def end_job(gateway: Gateway, url: str, app: str = "shop") -> str:
    """A job whose end is told there has ended; the id of the message."""
    job = submit(gateway, make_app(app), callback_url=url).job
    answer_turn(gateway, job.id, text="Done.")
    [row] = load_deliveries(gateway, job_id=job.id)
    return row.id


def make_due(gateway: Gateway, row_id: str) -> None:
    """As if the pause before its next attempt were over."""
    change_delivery(gateway, row_id, due_at=ago(gateway, 1), claimed_until=None)
    wake(gateway)


def wake(gateway: Gateway) -> None:
    gateway.database.signals.publish(["deliveries"])


def has(gateway: Gateway, row_id: str, status: str, attempts: int) -> Callable[[], bool]:
    def look() -> bool:
        row = load_delivery(gateway, row_id)
        return (row.status, row.attempts) == (status, attempts) and row.claimed_until is None

    return look


def test_end_of_a_job_is_told_at_once_and_signed(gateway: Gateway) -> None:
    with receiving() as receiver, sending(gateway):
        time.sleep(0.2)
        began_s = time.monotonic()
        row_id = end_job(gateway, receiver.url)
        wait_until(has(gateway, row_id, "delivered", 1))
        assert time.monotonic() - began_s < 5

    [got] = receiver.received
    body = Webhook(SECRET).verify(got.body, got.headers)
    assert (got.headers["webhook-id"], body["type"]) == (row_id, "job.succeeded")
    assert got.body == load_delivery(gateway, row_id).body


def test_what_was_queued_before_the_start_is_sent(gateway: Gateway) -> None:
    with receiving() as receiver:
        rows = [end_job(gateway, receiver.url) for _ in range(6)]
        with sending(gateway):
            for row_id in rows:
                wait_until(has(gateway, row_id, "delivered", 1))
    assert sorted(got.headers["webhook-id"] for got in receiver.received) == sorted(rows)


def test_refused_message_is_sent_again_with_the_same_id_and_body(gateway: Gateway) -> None:
    replies = Reply(500, body=b"no"), Reply(is_reset=True), Reply(302, (("Location", "/"),)), Reply(204)
    with receiving(*replies) as receiver, sending(gateway):
        row_id = end_job(gateway, receiver.url)
        for attempt, error in ((1, "The receiver answered 500: no"), (2, "broke"), (3, "not followed")):
            wait_until(has(gateway, row_id, "pending", attempt))
            row = load_delivery(gateway, row_id)
            assert error in (row.last_error or "")
            assert row.due_at > ago(gateway, 0)
            make_due(gateway, row_id)
        wait_until(has(gateway, row_id, "delivered", 4))

    assert {(got.headers["webhook-id"], got.body) for got in receiver.received} == {
        (row_id, load_delivery(gateway, row_id).body)
    }
    for got in receiver.received:
        Webhook(SECRET).verify(got.body, got.headers)
    assert load_delivery(gateway, row_id).last_error is None


def test_first_pause_passes_by_itself(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.domain.delivery.PAUSES_S", (0.3,) * 9)
    with receiving(Reply(503), Reply()) as receiver, sending(gateway):
        row_id = end_job(gateway, receiver.url)
        wait_until(has(gateway, row_id, "delivered", 2))
    first, second = receiver.received
    assert 0.3 <= second.at_s - first.at_s < 5


def test_410_is_told_nothing_more(gateway: Gateway) -> None:
    with receiving(Reply(410)) as receiver, sending(gateway):
        row_id = end_job(gateway, receiver.url)
        wait_until(has(gateway, row_id, "failed", 1))
    assert len(receiver.received) == 1


def test_receiver_that_is_dead_for_long_is_told_when_it_is_back(gateway: Gateway) -> None:
    url = closed_port()
    with sending(gateway):
        row_id = end_job(gateway, url + "/hook")
        for attempt in range(1, 8):
            wait_until(has(gateway, row_id, "pending", attempt))
            make_due(gateway, row_id)
        wait_until(has(gateway, row_id, "pending", 8))
        with receiving(port=int(url.rpartition(":")[2])) as receiver:
            make_due(gateway, row_id)
            wait_until(has(gateway, row_id, "delivered", 9))
    assert [got.headers["webhook-id"] for got in receiver.received] == [row_id]


def test_slow_receiver_holds_up_nobody_else(gateway: Gateway) -> None:
    with receiving(Reply(delay_s=60)) as slow, receiving() as quick:
        for _ in range(3 * AT_ONCE):
            end_job(gateway, slow.url, app="slow")
        with sending(gateway):
            wait_until(lambda: slow.open_requests >= OF_ONE_OWNER)
            began_s = time.monotonic()
            rows = [end_job(gateway, quick.url, app="quick") for _ in range(5)]
            for row_id in rows:
                wait_until(has(gateway, row_id, "delivered", 1))
            took_s = time.monotonic() - began_s
            slow.ended.set()
        assert took_s < 5
        assert slow.most_open < 2 * OF_ONE_OWNER


def test_two_processes_share_the_work_and_send_nothing_twice(gateway: Gateway) -> None:
    other = make_gateway(gateway.database, callback_allow=LOOPBACK)
    with receiving() as receiver, sending(gateway), sending(other):
        rows = [end_job(gateway, receiver.url, app=f"app-{number % 7}") for number in range(40)]
        for row_id in rows:
            wait_until(has(gateway, row_id, "delivered", 1))
    assert sorted(got.headers["webhook-id"] for got in receiver.received) == sorted(rows)


def test_stop_waits_for_what_is_being_sent(gateway: Gateway) -> None:
    with receiving(Reply(delay_s=0.5)) as receiver:
        with sending(gateway) as dispatcher:
            row_id = end_job(gateway, receiver.url)
            wait_until(lambda: receiver.open_requests == 1)
            dispatcher.stop()
        assert has(gateway, row_id, "delivered", 1)()


def test_stop_gives_back_what_takes_too_long(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "STOP_AFTER_S", 0.2)
    with receiving(Reply(delay_s=60), Reply()) as receiver:
        with sending(gateway) as dispatcher:
            row_id = end_job(gateway, receiver.url)
            wait_until(lambda: receiver.open_requests == 1)
            began_s = time.monotonic()
            dispatcher.stop()
            assert time.monotonic() - began_s < 3
        assert has(gateway, row_id, "pending", 1)()
        with sending(gateway):
            wait_until(has(gateway, row_id, "delivered", 2))
    assert [got.headers["webhook-id"] for got in receiver.received] == [row_id] * 2


def test_stop_before_anything_is_to_be_sent_is_quick(gateway: Gateway) -> None:
    began_s = time.monotonic()
    with sending(gateway):
        pass
    assert time.monotonic() - began_s < 3


DIES_WHILE_SENDING = """
import sys, time
from gateway.domain.callback_url import read_allowed
from gateway.notifications.dispatch import Dispatcher
from gateway.notifications.signing import standard_headers
from gateway.notifications.webhook import Webhooks
from gateway.store.session import Database
from tests.factories import make_gateway

gateway = make_gateway(Database(sys.argv[1]))
Dispatcher(gateway, Webhooks(read_allowed("127.0.0.0/8"), {"standard": standard_headers([])}), None).start()
time.sleep(60)
"""


def test_message_of_a_process_that_is_killed_while_sending_is_sent_again(gateway: Gateway, database_url: str) -> None:
    with receiving(Reply(delay_s=60), Reply()) as receiver:
        row_id = end_job(gateway, receiver.url)
        process = subprocess.Popen(
            [sys.executable, "-c", DIES_WHILE_SENDING, database_url], env={**os.environ, "PYTHONPATH": "."}
        )
        try:
            wait_until(lambda: receiver.open_requests == 1, timeout_s=30)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        row = load_delivery(gateway, row_id)
        assert (row.status, row.attempts) == ("pending", 1)
        assert row.claimed_until is not None
        with sending(gateway):
            time.sleep(0.3)
            assert len(receiver.received) == 1, "it counts as being sent until its lease ends"
            change_delivery(gateway, row_id, due_at=ago(gateway, 0), claimed_until=ago(gateway, 0))
            wake(gateway)
            wait_until(has(gateway, row_id, "delivered", 2))
    assert [got.headers["webhook-id"] for got in receiver.received] == [row_id] * 2
    assert LEASE_S > 15, "no attempt takes as long"


def test_redelivery_is_sent_at_once(gateway: Gateway) -> None:
    with receiving() as receiver, sending(gateway):
        row_id = end_job(gateway, receiver.url)
        wait_until(has(gateway, row_id, "delivered", 1))
        deliveries.redeliver(gateway, make_app("shop"), row_id)
        wait_until(has(gateway, row_id, "delivered", 2))
    assert [got.headers["webhook-id"] for got in receiver.received] == [row_id] * 2


def test_database_that_is_away_is_waited_for(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "LOOK_AGAIN_S", 0.1)
    database = AwayDatabase(database_url)
    gateway = make_gateway(database, callback_allow=LOOPBACK)
    with receiving(Reply(delay_s=0.3), Reply()) as receiver, sending(gateway):
        row_id = end_job(gateway, receiver.url)
        wait_until(lambda: receiver.open_requests == 1)
        database.is_away = True
        time.sleep(0.4)
        database.is_away = False
        wait_until(has(gateway, row_id, "delivered", 1))
    database.dispose()


class Kept(Reviewers):
    """Keeps what it is told."""

    def __init__(self, outcome: Outcome) -> None:
        self.told: list[Notice] = []
        self.outcome = outcome

    def tell(self, notice: Notice) -> Outcome:
        self.told.append(notice)
        return self.outcome


def test_reviewers_are_told_of_a_call_that_waits(gateway: Gateway) -> None:
    kept = Kept(Outcome(is_delivered=True))
    with sending(gateway, kept):
        [approval] = ask(gateway, call("send"))
        [row] = load_deliveries(gateway, approval_id=approval.id)
        wait_until(has(gateway, row.id, "delivered", 1))
    assert [(notice.approval_id, notice.action, notice.risk) for notice in kept.told] == [(approval.id, "send", "high")]


def test_reviewers_are_told_again_what_the_service_did_not_take(gateway: Gateway) -> None:
    kept = Kept(Outcome(is_delivered=False, error="The notification service did not take it."))
    with sending(gateway, kept):
        [approval] = ask(gateway, call("send"))
        [row] = load_deliveries(gateway, approval_id=approval.id)
        wait_until(has(gateway, row.id, "pending", 1))
        kept.outcome = Outcome(is_delivered=True)
        make_due(gateway, row.id)
        wait_until(has(gateway, row.id, "delivered", 2))
    assert len(kept.told) == 2


def test_many_calls_are_told_of_together(gateway: Gateway) -> None:
    kept = Kept(Outcome(is_delivered=True))
    with sending(gateway, kept):
        ask(gateway, *[call("send")] * 12)
        wait_until(lambda: all(row.status == "delivered" for row in load_deliveries(gateway)))
    assert [len(notice.rows) for notice in kept.told] == [12]


class TestWithApprise:
    def test_message_names_tool_and_risk_and_links_to_the_page(self) -> None:
        with receiving() as receiver:
            people = Reviewers(f"json://127.0.0.1:{receiver.port}/s3cret", "https://gate.example.com")
            assert people.tell(Notice((("dlv_1", 1),), "apr_1", "refund", "high")) == Outcome(is_delivered=True)
            assert people.tell(Notice((("dlv_1", 1), ("dlv_2", 1)), "apr_1", "refund", "high")).is_delivered
        single, digest = (got.body for got in receiver.received)
        assert '"title": "refund waits for a decision"' in single
        assert "https://gate.example.com/approvals/apr_1" in single
        assert "Risk: high" in single
        assert '"title": "2 calls wait for a decision"' in digest
        assert "https://gate.example.com/" in digest

    def test_refusal_of_the_service_is_a_failure_without_its_address(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.WARNING)  # below that only our own loggers are heard
        with receiving(Reply(500)) as receiver:
            people = Reviewers(f"json://127.0.0.1:{receiver.port}/s3cret", "https://gate.example.com")
            outcome = people.tell(Notice((("dlv_1", 1),), "apr_1", "refund", "high"))
        assert outcome == Outcome(is_delivered=False, error="The notification service did not take it.")
        assert "s3cret" not in caplog.text

    @pytest.mark.parametrize("scheme", sorted(reviewers.LOCAL_SCHEMES))
    def test_service_on_this_machine_is_refused(self, scheme: str) -> None:
        for url in (f"{scheme}://", f"{scheme.upper()}://x", f" {scheme}://x/y"):
            with pytest.raises(InvalidSetting, match="COUNTERSIGN_NOTIFY_URL"):
                Reviewers(url, "https://gate.example.com")

    @pytest.mark.parametrize(
        "url", ["", "x", "nonsense://s3cret", "slack://s3cret", "json://", "json://a.example.com, json://b"]
    )
    def test_what_no_service_takes_is_refused_without_being_repeated(self, url: str) -> None:
        with pytest.raises(InvalidSetting) as refused:
            Reviewers(url, "https://gate.example.com")
        assert "s3cret" not in refused.value.message

    def test_no_service_that_is_left_is_told_without_a_network(self) -> None:
        """A new version of the library that knows another way to tell this machine alone is looked at here."""
        from apprise.manager_plugins import NotificationManager

        alone = {
            scheme
            for plugin in NotificationManager().plugins()
            if plugin.category == "native" and not _has_an_address(plugin)
            for scheme in _schemes(plugin)
        }
        assert alone - reviewers.LOCAL_SCHEMES == set()

    @pytest.mark.parametrize(
        "action", ["please approve\nhttps://evil.example", "a\u202eb", "@everyone", "x" * 65, "a.example"]
    )
    def test_action_that_is_no_name_is_not_told(self, action: str) -> None:
        title, body = reviewers.words_of(Notice((("dlv_1", 1),), "apr_1", action, "low"), Site("https://g.example"))
        assert title == "A request waits for a decision"
        assert action not in body

    @pytest.mark.parametrize("between", [" ", ",", ", ", "\n"])
    def test_two_addresses_in_one_setting_are_refused(self, between: str) -> None:
        with pytest.raises(InvalidSetting, match="names one address"):
            Reviewers(f"json://a.example/x{between}json://b.example/y", "https://gate.example.com")

    def test_links_are_those_of_the_site(self) -> None:
        notice = Notice((("dlv_1", 1),), "apr_1", "refund", "low")
        assert reviewers.words_of(notice, Site("http://127.0.0.1:8000"))[1].endswith(
            "http://127.0.0.1:8000/approvals/apr_1"
        )


def _schemes(plugin: type) -> set[str]:
    named = [getattr(plugin, name, None) or () for name in ("protocol", "secure_protocol")]
    return {scheme for each in named for scheme in ([each] if isinstance(each, str) else each)}


def _has_an_address(plugin: type) -> bool:
    return any("{" in template for template in getattr(plugin, "templates", ()))
