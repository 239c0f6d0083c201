"""Reading, following and cancelling jobs."""

import time

import pytest
from sqlmodel import select

from gateway.domain.permission import Role, Scope
from gateway.runner.worker import Worker
from gateway.store.tables import Key
from gateway.usecases import accounts, turns
from tests.api.problems import code_of
from tests.factories import answer, answer_turn, call, decide, drive, load_approval, make_app, make_person, submit
from tests.fakes import RecordingTool, ScriptedModel

UNKNOWN = "job_" + "0" * 26


@pytest.fixture
def job_id(gateway):
    return submit(gateway, make_app("shop")).job.id


def read_stream(client, path, **headers):
    """The events of a stream that ends, as (id, name)."""
    response = client.get(path, headers=headers)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/event-stream")
    blocks = [block for block in response.text.split("\n\n") if block]
    fields = [dict(line.split(": ", 1) for line in block.splitlines()) for block in blocks]
    return [(int(event["id"]), event["event"]) for event in fields]


def test_list_is_newest_first_in_pages(shop, gateway):
    ids = [submit(gateway, make_app("shop")).job.id for _ in range(5)]
    seen, cursor = [], None
    for _ in range(3):
        page = shop.get("/api/v1/jobs", params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        seen += [job["id"] for job in page["items"]]
        cursor = page["next_cursor"]
    assert (seen, cursor) == (ids[::-1], None)


@pytest.mark.parametrize("query", ["status=queued&status=succeeded", "status=queued,succeeded"])
def test_list_is_narrowed_to_several_statuses(shop, gateway, query):
    queued, done, waiting = (submit(gateway, make_app("shop")).job.id for _ in range(3))
    answer_turn(gateway, done, text="Done.")
    answer_turn(gateway, waiting, call("refund", '{"order_id":"a"}'))
    assert {job["id"] for job in shop.get(f"/api/v1/jobs?{query}").json()["items"]} == {queued, done}


@pytest.mark.parametrize(
    "query", ["status=lost", "limit=0", "limit=201", "cursor=%00", "cursor=abc", "cursor=WyJ4IiwieSJd", "color=red"]
)
def test_bad_parameter_is_refused(shop, query):
    assert code_of(shop.get(f"/api/v1/jobs?{query}")) == (422, "invalid_request")


def test_sessions_are_not_available_yet(shop):
    assert code_of(shop.get("/api/v1/jobs?session_id=x")) == (422, "not_available")


@pytest.mark.parametrize("place", ["", "/transcript", "/events"])
def test_foreign_and_unknown_jobs_look_the_same(clients, job_id, place):
    other = clients.with_key("other")
    foreign = other.get(f"/api/v1/jobs/{job_id}{place}")
    assert code_of(foreign) == (404, "not_found")
    for unknown in (UNKNOWN, "job_x", "%00", job_id.upper()):
        assert other.get(f"/api/v1/jobs/{unknown}{place}").content == foreign.content
    assert other.get("/api/v1/jobs").json()["items"] == []


@pytest.mark.parametrize("role", list(Role))
def test_people_see_the_jobs_of_all_apps(clients, job_id, role):
    assert clients.with_token(role).get(f"/api/v1/jobs/{job_id}").status_code == 200


class TestVersions:
    def test_known_version_is_not_sent_again(self, shop, gateway, job_id):
        etag = shop.get(f"/api/v1/jobs/{job_id}").headers["etag"]
        again = shop.get(f"/api/v1/jobs/{job_id}", headers={"If-None-Match": f'"other", W/{etag}'})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
        answer_turn(gateway, job_id, text="Done.")
        assert shop.get(f"/api/v1/jobs/{job_id}", headers={"If-None-Match": etag}).status_code == 200

    def test_wait_with_a_version_ends_with_the_next_change(self, shop, gateway, job_id, in_background):
        etag = shop.get(f"/api/v1/jobs/{job_id}").headers["etag"]
        headers = {"If-None-Match": etag}
        waiting = in_background(lambda: shop.get(f"/api/v1/jobs/{job_id}?wait=20", headers=headers))
        assert not waiting.done()
        assert turns.claim_turn(gateway, job_id)
        assert waiting.result(timeout=10).json()["status"] == "running"

    def test_wait_without_a_version_ends_with_the_job(self, shop, gateway, job_id, in_background):
        waiting = in_background(lambda: shop.get(f"/api/v1/jobs/{job_id}?wait=20"))
        answer_turn(gateway, job_id, call("refund", '{"order_id":"a"}'))
        time.sleep(0.1)
        assert not waiting.done()
        shop.post(f"/api/v1/jobs/{job_id}/cancel")
        assert waiting.result(timeout=10).json()["status"] == "cancelled"

    def test_wait_that_is_over_answers_304_or_the_job(self, shop, job_id):
        first = shop.get(f"/api/v1/jobs/{job_id}?wait=1")
        assert first.status_code == 200
        headers = {"If-None-Match": first.headers["etag"]}
        assert shop.get(f"/api/v1/jobs/{job_id}?wait=1", headers=headers).status_code == 304

    def test_wait_ends_when_the_process_closes(self, shop, app, job_id, in_background):
        waiting = in_background(lambda: shop.get(f"/api/v1/jobs/{job_id}?wait=60"))
        app.state.closing.begin()
        assert waiting.result(timeout=5).status_code == 200

    @pytest.mark.parametrize("wait", ["61", "-1", "soon"])
    def test_bad_wait_is_refused(self, shop, job_id, wait):
        assert code_of(shop.get(f"/api/v1/jobs/{job_id}?wait={wait}")) == (422, "invalid_request")


def test_whole_job_shows_its_calls_and_usage(shop, gateway, job_id, refund: RecordingTool):
    model = ScriptedModel(
        [
            answer(call("refund", '{"order_id": "a"}', id="call00001"), call("look_up", "{}", id="call00002")),
            answer(text="Refunded."),
        ]
    )
    worker = Worker(gateway, model)
    drive(worker, gateway, job_id)
    waiting = shop.get(f"/api/v1/jobs/{job_id}").json()
    assert waiting["status"] == "waiting"
    [approval_id] = waiting["pending_approvals"]
    reviewer = make_person(gateway)
    decide(gateway, reviewer, load_approval(gateway, approval_id))
    drive(worker, gateway, job_id)
    job = shop.get(f"/api/v1/jobs/{job_id}").json()
    assert job["status"] == "succeeded"
    assert job["usage"] == {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30}
    assert [(c["id"], c["round"], c["status"], c["result"], c["error"]) for c in job["tool_calls"]] == [
        ("call00001", 1, "succeeded", "sent", None),
        ("call00002", 1, "succeeded", "sent", None),
    ]
    roles = [message["role"] for message in shop.get(f"/api/v1/jobs/{job_id}/transcript").json()["messages"]]
    assert roles == ["user", "assistant", "tool", "tool", "assistant"]


class TestCancelling:
    def test_cancelled_job_stays_cancelled(self, shop, job_id):
        for _ in range(2):
            response = shop.post(f"/api/v1/jobs/{job_id}/cancel")
            assert (response.status_code, response.json()["status"]) == (200, "cancelled")

    def test_finished_job_is_not_cancelled(self, shop, gateway, job_id):
        answer_turn(gateway, job_id, text="Done.")
        response = shop.post(f"/api/v1/jobs/{job_id}/cancel")
        assert code_of(response) == (409, "job_finished")
        assert response.json()["job_status"] == "succeeded"

    def test_foreign_job_is_not_there(self, clients, job_id):
        assert code_of(clients.with_key("other").post(f"/api/v1/jobs/{job_id}/cancel")) == (404, "not_found")


class TestEvents:
    def test_stream_ends_with_the_job(self, shop, gateway, job_id):
        answer_turn(gateway, job_id, text="Done.")
        events = read_stream(shop, f"/api/v1/jobs/{job_id}/events")
        assert events[0] == (1, "job.submitted")
        assert events[-1][1] == "job.succeeded"
        assert [number for number, _ in events] == list(range(1, len(events) + 1))

    def test_stream_resumes_behind_the_last_event_seen(self, shop, gateway, job_id):
        answer_turn(gateway, job_id, text="Done.")
        whole = read_stream(shop, f"/api/v1/jobs/{job_id}/events")
        assert read_stream(shop, f"/api/v1/jobs/{job_id}/events", **{"Last-Event-ID": "2"}) == whole[2:]

    def test_stream_with_nothing_left_tells_browsers_to_stop(self, shop, gateway, job_id):
        answer_turn(gateway, job_id, text="Done.")
        last = read_stream(shop, f"/api/v1/jobs/{job_id}/events")[-1][0]
        headers = {"Last-Event-ID": str(last)}
        assert shop.get(f"/api/v1/jobs/{job_id}/events", headers=headers).status_code == 204

    def test_events_come_as_they_happen(self, shop, gateway, job_id, in_background):
        waiting = in_background(lambda: shop.get(f"/api/v1/jobs/{job_id}/events"))
        [approval] = answer_turn(gateway, job_id, call("refund", '{"order_id":"a"}'))
        shop.post(f"/api/v1/jobs/{job_id}/cancel")
        response = waiting.result(timeout=10)
        assert response.headers["cache-control"] == "no-store"
        assert f'"approval_id":"{approval.id}"' in response.text
        assert response.text.count("event: job.cancelled") == 1

    def test_stream_ends_when_the_process_closes(self, shop, app, job_id, in_background):
        waiting = in_background(lambda: shop.get(f"/api/v1/jobs/{job_id}/events"))
        app.state.closing.begin()
        assert "event: job.submitted" in waiting.result(timeout=5).text

    def test_stream_ends_when_the_person_is_disabled(self, clients, shop, gateway, job_id, in_background):
        client = clients.with_token(email="leaving@example.com")
        waiting = in_background(lambda: client.get(f"/api/v1/jobs/{job_id}/events"))
        accounts.disable_person(gateway, email="leaving@example.com")
        shop.post(f"/api/v1/jobs/{job_id}/cancel")
        response = waiting.result(timeout=10)
        assert response.status_code == 200
        assert "event: job.submitted" in response.text
        assert "event: job.cancelled" not in response.text

    def test_stream_ends_when_the_key_may_not_read_any_more(self, clients, gateway, job_id, in_background):
        client = clients.with_key("shop", Scope.READ)
        waiting = in_background(lambda: client.get(f"/api/v1/jobs/{job_id}/events"))
        with gateway.database.write() as session:
            [key] = session.exec(select(Key).where(Key.scopes == Scope.READ)).all()
            key.scopes = Scope.SUBMIT.value
        answer_turn(gateway, job_id, text="Done.")
        assert "event: job.succeeded" not in waiting.result(timeout=10).text

    @pytest.mark.parametrize("last", ["x", "-1"])
    def test_bad_event_id_is_refused(self, shop, job_id, last):
        response = shop.get(f"/api/v1/jobs/{job_id}/events", headers={"Last-Event-ID": last})
        assert code_of(response) == (422, "invalid_request")
