"""What most tests begin with: a gateway whose engine does not run, people, apps, jobs and answered turns.

Nothing happens here by itself: the tests call ``Worker`` by hand, or ``drive`` it.
"""

import hashlib
import json
import secrets
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import col, update

from gateway.domain.approval import ApprovalStatus, Approve, Choice
from gateway.domain.permission import Actor, AppActor, PersonActor, Role, Scope
from gateway.domain.turn import ModelAnswer
from gateway.domain.wording import Wording
from gateway.engine.engine import Engine
from gateway.runner.answer import read_answer
from gateway.runner.worker import Worker
from gateway.store import approvals as approval_rows
from gateway.store import decisions as decision_rows
from gateway.store import deliveries as delivery_rows
from gateway.store import events as event_rows
from gateway.store import executions as execution_rows
from gateway.store import executors
from gateway.store import jobs as job_rows
from gateway.store import turns as turn_rows
from gateway.store.session import Database
from gateway.store.tables import Approval, Decision, Delivery, Event, Execution, Job, ModelCircuit, Person, SignIn, Turn
from gateway.tools.base import Tool
from gateway.tools.registry import ToolRegistry
from gateway.usecases import approvals, jobs, turns
from gateway.usecases.approvals import Ruling
from gateway.usecases.gateway import Gateway, Policy
from gateway.usecases.ids import new_id
from gateway.usecases.jobs import Submission, Submitted
from tests.fakes import ScriptedModel

ANY_SHA256 = "0" * 64


def make_gateway(database: Database, *tools: Tool, wording: Wording | None = None, **policy: Any) -> Gateway:
    """A gateway with these tools. Its engine queues, but nobody works on the queues."""
    registry = ToolRegistry()
    for tool in tools:
        registry.register(tool)
    return Gateway(database, Engine(database), registry, wording or Wording(), Policy(**policy))


def make_person(gateway: Gateway, *, role: Role = Role.REVIEWER, email: str | None = None) -> PersonActor:
    """A person who can prove who they are, but not sign in: hashing a password takes long."""
    address = email or f"{role}-{uuid.uuid4().hex[:8]}@example.com"
    person_id = new_id("per")
    with gateway.database.write() as session:
        now = gateway.database.now(session)
        session.add(Person(id=person_id, email=address, name=address.partition("@")[0], role=role, created_at=now))
    return PersonActor(id=person_id, email=address, name=address.partition("@")[0], role=role)


def sign_in(gateway: Gateway, person: PersonActor) -> str:
    """The secret of a browser in which this person is signed in, without the time that a password takes."""
    secret = secrets.token_urlsafe(32)
    with gateway.database.write() as session:
        now = gateway.database.now(session)
        row = SignIn(
            secret_sha256=hashlib.sha256(secret.encode()).hexdigest(),
            person_id=person.id,
            created_at=now,
            seen_at=now,
            expires_at=now + timedelta(days=1),
        )
        session.add(row)
    return secret


def make_app(name: str | None = None) -> AppActor:
    app = name or f"app-{uuid.uuid4().hex[:8]}"
    return AppActor(app=app, key_id="key", scopes=frozenset(Scope))


def submission(**changes: Any) -> Submission:
    """A job in one user message."""
    given: dict[str, Any] = {
        "messages": (("user", '{"role":"user","content":"Please do it"}'),),
        "model": None,
        "agent_id": None,
        "options": {},
        "tools": None,
        "permission": "auto",
        "max_rounds": 10,
        "on_behalf_of": None,
        "metadata_text": None,
        "idempotency_key": None,
        "body_sha256": ANY_SHA256,
    }
    return Submission(**{**given, **changes})


def submit(gateway: Gateway, actor: Actor | None = None, **changes: Any) -> Submitted:
    return jobs.submit(gateway, actor or make_app(), submission(**changes))


def call(name: str, arguments: Any = "{}", *, id: str | None = None) -> dict[str, Any]:
    """A tool call as it stands in an answer; ``arguments`` go onto the wire as they are given."""
    return {"id": id or uuid.uuid4().hex[:9], "type": "function", "function": {"name": name, "arguments": arguments}}


def completion(*calls: dict[str, Any], text: str = "") -> str:
    """The body of a chat completion."""
    message = {"role": "assistant", "content": text, "tool_calls": list(calls) or None}
    finish_reason = "tool_calls" if calls else "stop"
    choice = {"index": 0, "message": message, "finish_reason": finish_reason}
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    return json.dumps({"id": "cmpl", "object": "chat.completion", "model": "m", "choices": [choice], "usage": usage})


def answer(*calls: dict[str, Any], text: str = "") -> ModelAnswer:
    return read_answer(completion(*calls, text=text))


def answer_turn(gateway: Gateway, job_id: str, *calls: dict[str, Any], text: str = "") -> list[Approval]:
    """The job's next model call was made and gave this; the approvals that it opened, in the calls' order."""
    claim = turns.claim_turn(gateway, job_id)
    assert claim is not None
    turns.record_answer(gateway, claim, answer(*calls, text=text))
    with gateway.database.read() as session:
        return [row for row in approval_rows.of_job(session, job_id) if row.round == claim.round]


def ask(gateway: Gateway, *calls: dict[str, Any], actor: Actor | None = None, **changes: Any) -> list[Approval]:
    """A new job whose first answer makes these calls; their approvals."""
    job = submit(gateway, actor, **changes).job
    return answer_turn(gateway, job.id, *calls)


def decide(
    gateway: Gateway, person: PersonActor, approval: Approval, choice: Choice | None = None, **ruling: Any
) -> Approval:
    """``person`` decides what they saw in ``approval``; without a choice they approve."""
    seen = ruling.pop("details_sha256", approval.details_sha256)
    return approvals.decide(
        gateway, person, approval.id, Ruling(choice=choice or Approve(), details_sha256=seen, **ruling)
    )


def run(gateway: Gateway, approval: Approval) -> None:
    """A worker takes the piece of work that runs this approval's call."""
    Worker(gateway, ScriptedModel()).run_call(approval.id, load_approval(gateway, approval.id).attempt)


def drive(worker: Worker, gateway: Gateway, job_id: str) -> Job:
    """Everything is done that needs no person; the job as it is then."""
    while True:
        before = load_job(gateway, job_id).seq
        worker.advance_job(job_id)
        for approval in load_approvals(gateway, job_id):
            if approval.status == ApprovalStatus.APPROVED:
                worker.run_call(approval.id, approval.attempt)
        job = load_job(gateway, job_id)
        if job.seq == before:
            return job


def load_job(gateway: Gateway, job_id: str) -> Job:
    with gateway.database.read() as session:
        job = job_rows.find(session, job_id)
    assert job is not None
    return job


def load_approval(gateway: Gateway, approval_id: str) -> Approval:
    with gateway.database.read() as session:
        approval = approval_rows.find(session, approval_id)
    assert approval is not None
    return approval


def load_approvals(gateway: Gateway, job_id: str) -> Sequence[Approval]:
    with gateway.database.read() as session:
        return approval_rows.of_job(session, job_id)


def load_execution(gateway: Gateway, approval_id: str, attempt: int = 1) -> Execution | None:
    with gateway.database.read() as session:
        return execution_rows.find(session, approval_id, attempt)


def load_turn(gateway: Gateway, job_id: str, number: int = 1) -> Turn:
    with gateway.database.read() as session:
        turn = session.get(Turn, (job_id, number))
    assert turn is not None
    return turn


def load_events(gateway: Gateway, job_id: str) -> Sequence[Event]:
    with gateway.database.read() as session:
        return event_rows.of_job(session, job_id, 0)


def event_names(gateway: Gateway, job_id: str) -> list[str]:
    """The job's feed, its numbers checked: they count from 1 without a gap."""
    events = load_events(gateway, job_id)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    return [event.name for event in events]


def load_decisions(gateway: Gateway, approval_id: str) -> Sequence[Decision]:
    with gateway.database.read() as session:
        return decision_rows.of_approval(session, approval_id)


def verdicts(gateway: Gateway, approval_id: str) -> list[tuple[str, str]]:
    """Each decision row about the approval: its verdict and who gave it."""
    return [(row.verdict, row.actor_kind) for row in load_decisions(gateway, approval_id)]


def transcript(gateway: Gateway, job_id: str) -> list[dict[str, Any]]:
    with gateway.database.read() as session:
        return [json.loads(message.body) for message in turn_rows.messages(session, job_id)]


def tool_results(gateway: Gateway, job_id: str) -> list[str]:
    """What the model is told about its calls, in the transcript's order."""
    return [message["content"] for message in transcript(gateway, job_id) if message["role"] == "tool"]


def change_approval(gateway: Gateway, approval_id: str, **values: Any) -> None:
    """The row has these values, as somebody with access to the database could write them."""
    with gateway.database.write() as session:
        session.exec(update(Approval).where(col(Approval.id) == approval_id).values(**values))


def load_deliveries(gateway: Gateway, **wanted: Any) -> Sequence[Delivery]:
    """The messages in the outbox, in the order of their ids."""
    with gateway.database.read() as session:
        page = delivery_rows.page(session, owner=wanted.pop("owner", None), limit=200, **wanted)
    return sorted(page.items, key=lambda row: row.id)


def load_delivery(gateway: Gateway, delivery_id: str) -> Delivery:
    with gateway.database.read() as session:
        delivery = delivery_rows.find(session, delivery_id)
    assert delivery is not None
    return delivery


def change_delivery(gateway: Gateway, delivery_id: str, **values: Any) -> None:
    with gateway.database.write() as session:
        session.exec(update(Delivery).where(col(Delivery.id) == delivery_id).values(**values))


def change_job(gateway: Gateway, job_id: str, **values: Any) -> None:
    with gateway.database.write() as session:
        session.exec(update(Job).where(col(Job.id) == job_id).values(**values))


def change_execution(gateway: Gateway, approval_id: str, **values: Any) -> None:
    with gateway.database.write() as session:
        session.exec(update(Execution).where(col(Execution.approval_id) == approval_id).values(**values))


def change_circuit(gateway: Gateway, model: str, **values: Any) -> None:
    """The row of this model at Mistral's own server has these values."""
    with gateway.database.write() as session:
        session.exec(update(ModelCircuit).where(col(ModelCircuit.model) == f"{model} at mistral").values(**values))


def change_turn(gateway: Gateway, job_id: str, number: int = 1, **values: Any) -> None:
    with gateway.database.write() as session:
        mine = (col(Turn.job_id) == job_id) & (col(Turn.number) == number)
        session.exec(update(Turn).where(mine).values(**values))


def ago(gateway: Gateway, seconds: float) -> datetime:
    """So long ago by the database's clock."""
    with gateway.database.read() as session:
        return gateway.database.now(session) - timedelta(seconds=seconds)


def beat(gateway: Gateway) -> None:
    """This gateway's process has just shown that it lives."""
    with gateway.database.write() as session:
        executors.beat(session, gateway.engine.executor_id, gateway.database.now(session))
