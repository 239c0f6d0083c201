"""What the database holds. Every class is one table; its docstring says what one row is.

Arguments, messages and answers of the model are kept as exact TEXT, never as a
JSON type: databases reorder keys and rewrite numbers. Auditors may rely on the
names in ``decisions`` (contract, section 4).
"""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, Integer, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from gateway.domain.approval import ApprovalStatus, Verdict
from gateway.domain.delivery import DeliveryStatus, Target
from gateway.domain.execution import ExecutionStatus
from gateway.domain.job import JobStatus
from gateway.domain.permission import Role


def _one_of(column: str, values: Iterable[str], name: str) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=name)


def _index_of_few(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """An index of the rows that somebody will look for: those that nobody will cost it nothing."""
    return Index(name, *columns, unique=unique, sqlite_where=text(where), postgresql_where=text(where))


# An UPDATE of a job or an approval carries the number it was read with and must find one row: nobody's change is lost.
_job_seq = Column("seq", Integer, nullable=False, default=0)
_approval_version = Column("version", Integer, nullable=False)


class Job(SQLModel, table=True):
    """One piece of work that an app submitted."""

    __tablename__ = "jobs"
    __table_args__ = (
        _one_of("status", JobStatus, "jobs_status"),
        UniqueConstraint("owner", "idempotency_key", name="jobs_owner_idempotency_key"),
        Index("jobs_owner_created", "owner", "created_at", "id"),
        Index("jobs_status_created", "status", "created_at", "id"),
        Index("jobs_status_updated", "status", "updated_at"),
        Index("jobs_created", "created_at", "id"),
        _index_of_few("jobs_run_due", "run_due_at", where="run_due_at IS NOT NULL"),
        _index_of_few("jobs_deadline", "deadline_at", where="deadline_at IS NOT NULL AND finished_at IS NULL"),
    )
    __mapper_args__ = {"version_id_col": _job_seq, "version_id_generator": False}

    id: str = Field(primary_key=True)
    status: str
    owner: str  #: ``app:NAME`` or ``person:ID``: who sees it and whose Idempotency-Keys count
    app: str | None = None
    submitted_by: str | None = None  #: e-mail, when a person's token submitted it
    on_behalf_of: str | None = None  #: e-mail
    model: str | None = None
    agent_id: str | None = None
    request: str = Field(sa_type=Text)  #: JSON: what every model call of the job is asked with
    permission: str = "auto"
    max_rounds: int
    max_repeats: int | None = None  #: of the same rejected call; null: any number
    rounds: int = 0  #: model calls that were answered
    rejections: int = 0  #: calls that were rejected and could be asked for again
    seq: int = Field(default=0, sa_column=_job_seq)  #: the last event's number
    metadata_text: str | None = Field(default=None, sa_column=Column("metadata", Text))
    idempotency_key: str | None = None
    body_sha256: str
    callback_url: str | None = Field(default=None, sa_type=Text)  #: where its end is told
    output: str | None = Field(default=None, sa_type=Text)  #: JSON
    error_code: str | None = None
    error_message: str | None = Field(default=None, sa_type=Text)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    created_at: datetime
    updated_at: datetime
    deadline_at: datetime | None = None  #: unfinished at this time, it fails
    run_due_at: datetime | None = None  #: since when an approved call of it is to run while people are awaited
    finished_at: datetime | None = None


class Turn(SQLModel, table=True):
    """One model call of a job: who makes it, until when, and what came back."""

    __tablename__ = "turns"
    __table_args__ = (
        _index_of_few(
            "turns_claimed", "model_key", "claimed_until", where="model_key IS NOT NULL AND claimed_until IS NOT NULL"
        ),
        _index_of_few("turns_parked", "model_key", "parked_at", where="parked_at IS NOT NULL"),
    )

    job_id: str = Field(sa_column=Column("job_id", ForeignKey("jobs.id"), primary_key=True))
    number: int = Field(primary_key=True)  #: the round, from 1
    attempts: int = 0
    claimed_by: str | None = None  #: executor id
    claimed_until: datetime | None = None  #: for nobody in particular: a place that is kept for this turn
    first_claimed_at: datetime | None = None
    retry_at: datetime | None = None
    model_key: str | None = None  #: the model and server whose limit, or whose return, this turn is counted under
    parked_at: datetime | None = None  #: since when it has waited for the model; null: it does not
    last_error: str | None = Field(default=None, sa_type=Text)
    response: str | None = Field(default=None, sa_type=Text)  #: the answer's body as received
    finish_reason: str | None = None
    calls: int = 0  #: tool calls in the answer
    answered_at: datetime | None = None


class ModelCircuit(SQLModel, table=True):
    """One model at one server, of which calls have failed or are limited in number."""

    __tablename__ = "model_circuits"

    model: str = Field(primary_key=True)
    failures: int = 0  #: in a row
    open_until: datetime | None = None  #: until then nobody calls it, then one tries; null: everybody may
    changed_at: datetime


class Message(SQLModel, table=True):
    """One message of a job's transcript, in the order (round, slot).

    Round 0 holds what was submitted. In round n, slot 0 is the model's turn and
    slot k the result of its k-th tool call, whenever that came.
    """

    __tablename__ = "messages"

    job_id: str = Field(sa_column=Column("job_id", ForeignKey("jobs.id"), primary_key=True))
    round: int = Field(primary_key=True)
    slot: int = Field(primary_key=True)
    role: str
    body: str = Field(sa_type=Text)  #: JSON text of the message as sent, or as received
    created_at: datetime


class Approval(SQLModel, table=True):
    """One gated call that waits for, or is past, a decision."""

    __tablename__ = "approvals"
    __table_args__ = (
        _one_of("status", ApprovalStatus, "approvals_status"),
        UniqueConstraint("job_id", "round", "position", name="approvals_job_round_position"),
        Index("approvals_status_created", "status", "created_at", "id"),
        Index("approvals_status_expires", "status", "expires_at"),
        Index("approvals_status_release", "status", "release_at"),
        Index("approvals_created", "created_at", "id"),
        # SQLite, without statistics, otherwise goes through all that wait for the few of one job, app or action.
        Index("approvals_job_status", "job_id", "status", "created_at", "id"),
        Index("approvals_owner_status", "owner", "status", "created_at", "id"),
        Index("approvals_status_action", "status", "action", "created_at", "id"),
        Index("approvals_status_risk", "status", "risk", "created_at", "id"),
        _index_of_few("approvals_same_call", "job_id", "call_sha256", where="call_sha256 IS NOT NULL"),
        _index_of_few("approvals_assignee", "assignee", "status", "created_at", "id", where="assignee IS NOT NULL"),
        _index_of_few("approvals_request_key", "owner", "request_key", where="request_key IS NOT NULL", unique=True),
        _index_of_few(
            "approvals_same_request", "owner", "request_sha256", "created_at", where="request_sha256 IS NOT NULL"
        ),
        _index_of_few("approvals_warn", "warn_at", where="warn_at IS NOT NULL AND decided_at IS NULL"),
    )
    __mapper_args__ = {"version_id_col": _approval_version}

    id: str = Field(primary_key=True)
    status: str
    version: int = Field(default=1, sa_column=_approval_version)
    origin: str
    job_id: str | None = Field(default=None, sa_column=Column("job_id", ForeignKey("jobs.id"), nullable=True))
    owner: str
    app: str | None = None
    requested_for: str | None = None  #: e-mail of the person whose own request this is
    round: int | None = None
    position: int | None = None  #: of the call in its turn, from 1
    tool_call_id: str | None = None
    action: str
    title: str
    summary: str | None = Field(default=None, sa_type=Text)
    justification: str | None = Field(default=None, sa_type=Text)
    risk: str
    risk_score: float | None = None
    details: str | None = Field(default=None, sa_type=Text)  #: exact arguments; null when they are not JSON
    raw_details: str | None = Field(default=None, sa_type=Text)  #: what came, when it cannot be taken as arguments
    details_sha256: str
    modified_details: str | None = Field(default=None, sa_type=Text)  #: exact slice of the decision's body
    effective_sha256: str | None = None
    schema_text: str | None = Field(default=None, sa_column=Column("schema", Text))
    tool_definition: str | None = Field(default=None, sa_type=Text)  #: JSON of what the hash covers
    tool_sha256: str | None = None
    warnings: str = Field(default="[]", sa_type=Text)  #: JSON list of {code, path, message}
    secrets: str | None = Field(default=None, sa_type=Text)  #: JSON list of the pointers that are masked; null: none
    note_required: bool = False
    auto_decided: bool = False
    retryable: bool = False
    response: str | None = Field(default=None, sa_type=Text)  #: a reviewer's answer in the tool's place
    reason_code: str | None = None
    run_within_s: float | None = None
    repeat_of: str | None = None  #: id of the approval that rejected the same call before
    repeats: int = 0  #: how many times it had been asked for again by then; 0: this is no repeat
    call_sha256: str | None = None  #: of tool and arguments; of rejected calls and of repeats only
    attempt: int = 1  #: the execution attempt that is wanted
    decision_id: str | None = None  #: the last final decision
    sent_along: str | None = Field(default=None, sa_type=Text)  #: JSON object: what else a program said of its request
    callback_url: str | None = Field(default=None, sa_type=Text)  #: where a program is told of the decision
    request_key: str | None = None  #: the Idempotency-Key that a program asked with
    request_sha256: str | None = None  #: of what a program asked; null for calls of jobs
    assignee: str | None = None  #: id of the person who looks at it; decides nothing about who may
    assigned_by: str | None = None  #: id of the person who gave it to them
    assigned_at: datetime | None = None
    created_at: datetime
    expires_at: datetime | None = None
    warn_at: datetime | None = None  #: when to tell that it will expire; null once that was told
    decided_at: datetime | None = None
    release_at: datetime | None = None


class Decision(SQLModel, table=True):
    """One change out of pending, undo, extension or resolution. Append-only and chained."""

    __tablename__ = "decisions"
    __table_args__ = (
        _one_of("verdict", Verdict, "decisions_verdict"),
        Index("decisions_approval", "approval_id", "seq"),
        Index("decisions_job", "job_id", "seq"),
        Index("decisions_action", "action", "seq"),
        Index("decisions_actor", "actor_id", "seq"),
        Index("decisions_verdict_seq", "verdict", "seq"),
    )

    seq: int = Field(sa_column=Column("seq", BigInteger, primary_key=True, autoincrement=False))
    id: str = Field(unique=True)
    at: datetime
    approval_id: str
    job_id: str | None = None
    app: str | None = None
    origin: str
    action: str
    verdict: str
    is_final: bool
    actor_kind: str
    actor_id: str | None = None
    actor_name: str | None = None
    actor_role: str | None = None
    channel: str | None = None
    rule_id: str | None = None
    rule_version: int | None = None
    details_sha256: str
    effective_sha256: str | None = None
    modified_details: str | None = Field(default=None, sa_type=Text)
    note: str | None = Field(default=None, sa_type=Text)
    reason_code: str | None = None
    response: str | None = Field(default=None, sa_type=Text)
    waited_ms: int = Field(sa_type=BigInteger)
    prev_hash: str
    entry_hash: str = Field(unique=True)


class DecisionHead(SQLModel, table=True):
    """The single row that says where the chain of decisions ends."""

    __tablename__ = "decision_head"
    __table_args__ = (CheckConstraint("id = 1", name="decision_head_single"),)

    id: int = Field(default=1, primary_key=True)
    seq: int = Field(sa_type=BigInteger)
    hash: str
    at: datetime | None = None


class Execution(SQLModel, table=True):
    """One attempt to run an approved call."""

    __tablename__ = "executions"
    __table_args__ = (
        _one_of("status", ExecutionStatus, "executions_status"),
        Index("executions_status_started", "status", "started_at"),
    )

    approval_id: str = Field(sa_column=Column("approval_id", ForeignKey("approvals.id"), primary_key=True))
    attempt: int = Field(primary_key=True)
    status: str
    executor_id: str
    details_sha256: str  #: of the bytes that ran, computed just before
    result: str | None = Field(default=None, sa_type=Text)
    error: str | None = Field(default=None, sa_type=Text)
    resolved_by: str | None = None  #: person id, when a person settled it
    started_at: datetime
    finished_at: datetime | None = None


class Event(SQLModel, table=True):
    """One change of state, written in its transaction: the feed of a job and the outbox."""

    __tablename__ = "events"
    __table_args__ = (
        UniqueConstraint("job_id", "seq", name="events_job_seq"),
        _index_of_few("events_without_job", "approval_id", "id", where="job_id IS NULL"),
    )

    id: int | None = Field(
        default=None,
        # Only INTEGER counts up by itself on SQLite.
        sa_column=Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    )
    job_id: str | None = None
    seq: int | None = None  #: within the job, from 1; the id that event streams resume from
    name: str
    approval_id: str | None = None
    data: str = Field(default="{}", sa_type=Text)  #: JSON
    at: datetime


class Delivery(SQLModel, table=True):
    """One message to somebody outside, written with the change that it tells of."""

    __tablename__ = "deliveries"
    __table_args__ = (
        _one_of("status", DeliveryStatus, "deliveries_status"),
        _one_of("target", Target, "deliveries_target"),
        _index_of_few("deliveries_due", "target", "due_at", where="status = 'pending'"),
        _index_of_few("deliveries_notified", "delivered_at", where="target = 'notify' AND delivered_at IS NOT NULL"),
        _index_of_few("deliveries_job", "job_id", "created_at", "id", where="job_id IS NOT NULL"),
        _index_of_few("deliveries_approval", "approval_id", "created_at", "id", where="approval_id IS NOT NULL"),
        # Nobody is told twice of one call.
        Index(
            "deliveries_one_notice",
            "approval_id",
            unique=True,
            sqlite_where=text("target = 'notify'"),
            postgresql_where=text("target = 'notify'"),
        ),
        Index("deliveries_owner_created", "owner", "created_at", "id"),
        Index("deliveries_status_created", "status", "created_at", "id"),
        Index("deliveries_created", "created_at", "id"),
    )

    id: str = Field(primary_key=True)  #: the receiver's webhook-id, the same in every attempt
    event: str
    job_id: str | None = None
    approval_id: str | None = None
    owner: str  #: who sees it, as in ``jobs``; ``gateway`` for what reviewers are told
    app: str | None = None
    target: str
    url: str | None = Field(default=None, sa_type=Text)  #: null: the one of the installation's setting
    body: str | None = Field(default=None, sa_type=Text)  #: exactly what is signed and sent; null: made when it is sent
    form: str = "standard"  #: of the headers that go with it
    status: str
    attempts: int = 0  #: begun ones; the number of the one that may write how it ended
    due_at: datetime  #: while it is being sent: when that counts as lost
    claimed_until: datetime | None = None
    last_status: int | None = None  #: of the last HTTP answer
    last_error: str | None = Field(default=None, sa_type=Text)
    created_at: datetime
    delivered_at: datetime | None = None


class Person(SQLModel, table=True):
    """One reviewer, admin or auditor."""

    __tablename__ = "people"
    __table_args__ = (_one_of("role", Role, "people_role"),)

    id: str = Field(primary_key=True)
    email: str = Field(unique=True)  #: lower case
    name: str
    role: str
    password_hash: str | None = None
    created_at: datetime
    disabled_at: datetime | None = None


class Token(SQLModel, table=True):
    """One personal access token, ``cs_pat_…``; only its hash is kept."""

    __tablename__ = "tokens"

    id: str = Field(primary_key=True)
    person_id: str = Field(foreign_key="people.id", index=True)
    secret_sha256: str
    created_at: datetime
    disabled_at: datetime | None = None


class Key(SQLModel, table=True):
    """One app key, ``cs_app_…``; only its hash is kept."""

    __tablename__ = "keys"

    id: str = Field(primary_key=True)
    app: str = Field(index=True)
    scopes: str  #: comma-separated: submit, read
    secret_sha256: str
    created_at: datetime
    disabled_at: datetime | None = None


class SignIn(SQLModel, table=True):
    """One signed-in browser; the cookie holds the secret, the row its hash."""

    __tablename__ = "sign_ins"

    secret_sha256: str = Field(primary_key=True)
    person_id: str = Field(foreign_key="people.id", index=True)
    created_at: datetime
    seen_at: datetime
    expires_at: datetime


class Executor(SQLModel, table=True):
    """One running worker process and its last sign of life."""

    __tablename__ = "executors"

    id: str = Field(primary_key=True)
    beat_at: datetime
