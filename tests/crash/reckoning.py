"""The reckoning: what the gateway says of its jobs, held against what the tools have counted themselves."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from gateway.engine.engine import Engine
from gateway.store.session import Database
from gateway.tools.registry import ToolRegistry
from gateway.usecases import audit
from gateway.usecases.gateway import Gateway
from tests.crash import counter
from tests.crash.counter import Run
from tests.crash.installation import Installation
from tests.crash.people import EDITED, Job, NotAsPromised, People
from tests.crash.points import Talk

#: The tools that may be called again with the same key.
IDEMPOTENT = frozenset({"refund"})
RULINGS = frozenset({"approve", "reject", "respond", "expire", "cancel"})
#: What may stand in the log for a call, by what the reviewer says about such calls. ``undo`` may come too late.
VERDICTS: dict[str, frozenset[str]] = {
    "approve": frozenset({"approve"}),
    "edit": frozenset({"approve"}),
    "reject": frozenset({"reject"}),
    "respond": frozenset({"respond"}),
    "undo": frozenset({"approve undo reject", "approve"}),
    "nothing": frozenset({"expire", "cancel"}),
    "": frozenset({"approve", "approve cancel"}),  # automatic; its job may be cancelled before it runs
}


def reckon(installation: Installation, people: People, jobs: Sequence[Job]) -> None:
    """All of these jobs went as promised. Raises: NotAsPromised with everything that did not."""
    runs = runs_of(installation)
    broken = [flaw for job in jobs for flaw in _flaws_of(people, job, runs)]
    broken += [
        f"{death.seat} ended by itself with exit code {death.exit_code}"
        for death in installation.deaths
        if not death.was_killed
    ]
    broken += _log_flaws(installation)
    if broken:
        raise NotAsPromised("\n".join(broken))


def _log_flaws(installation: Installation) -> Iterator[str]:
    """What ``countersign audit verify`` does, without a process of its own."""
    database = Database(installation.database_url)
    try:
        if (flaw := audit.verify(Gateway(database, Engine(database), ToolRegistry())).break_) is not None:
            yield f"the log is broken at decision {flaw.seq}: {flaw.reason}"
    finally:
        database.dispose()


def reckon_all(installation: Installation, people: People) -> None:
    """Over its whole life the installation has had each job once, and the tools were called for no other calls."""
    ids = Counter(row["metadata"]["key"] for row in _pages(people, "/api/v1/jobs"))
    broken = [f"{ids[job.key]} jobs have the key {job.key}" for job in people.jobs if ids[job.key] != 1]
    broken += [f"nobody submitted {key}" for key in ids.keys() - {job.key for job in people.jobs}]
    known = {row["id"] for row in _pages(people, "/api/v1/approvals")}
    broken += [f"the tool ran {key}, which was never asked" for key in runs_of(installation).keys() - known]
    if not (verified := installation.command("audit", "verify")).startswith("Intact"):
        broken.append(f"audit verify: {verified}")
    if broken:
        raise NotAsPromised("\n".join(broken))


def runs_of(installation: Installation) -> dict[str, list[Run]]:
    """What the tools did, by key."""
    runs: dict[str, list[Run]] = defaultdict(list)
    for run in counter.runs(installation.runs_file):
        runs[run.key].append(run)
    return runs


def _flaws_of(people: People, job: Job, runs: dict[str, list[Run]]) -> Iterator[str]:
    expected = "cancelled" if job.talk is Talk.CANCELLED else "succeeded"
    if job.status != expected:
        yield f"{job.key} ended {job.status}: {people.app.read(f'/api/v1/jobs/{job.id}')['error']}"
    submitted_as = job.id
    if not people.submit(job) or job.id != submitted_as:
        yield f"{job.key} was lost: its key does not find {submitted_as}"
    yield from _message_flaws(job, people.app.read(f"/api/v1/jobs/{job.id}/transcript")["messages"])
    decisions = people.decisions(job.id)
    for approval in people.approvals(job.id):
        rows = [row for row in decisions if row["approval_id"] == approval["id"]]
        done = runs.get(approval["id"], [])
        for flaw in (*_decision_flaws(approval, rows), *_run_flaws(approval, rows, done)):
            yield f"{job.key}, {approval['action']} {approval['id']}: {flaw}"


def _message_flaws(job: Job, messages: list[dict[str, Any]]) -> Iterator[str]:
    """Every tool call has exactly one tool message, before the model is asked again."""
    at = 0
    while at < len(messages):
        asked = [call["id"] for call in messages[at].get("tool_calls") or ()]
        told = [message.get("tool_call_id") for message in messages[at + 1 : at + 1 + len(asked)]]
        if asked != told:
            yield f"{job.key}: the calls {asked} have the results {told}"
        at += 1 + len(asked)
    results = sum(message["role"] == "tool" for message in messages)
    calls = sum(len(message.get("tool_calls") or ()) for message in messages)
    if results != calls:
        yield f"{job.key}: {calls} calls have {results} results"


def _decision_flaws(approval: dict[str, Any], rows: list[dict[str, Any]]) -> Iterator[str]:
    verdicts = [row["verdict"] for row in rows if row["verdict"] != "resolve"]
    say = (approval["details"] or {}).get("say", "")
    if " ".join(verdicts) not in VERDICTS[say]:
        yield f"the reviewer says {say or 'nothing'}, the log {verdicts}"
    if say == "edit" and rows and rows[0]["effective_sha256"] != hashlib.sha256(EDITED.encode()).hexdigest():
        yield "the log does not hold the edit"


def _run_flaws(approval: dict[str, Any], rows: list[dict[str, Any]], done: list[Run]) -> Iterator[str]:
    asked_again = sum(row["verdict"] == "resolve" and row["reason_code"] == "run_again" for row in rows)
    if approval["action"] not in IDEMPOTENT and len(done) > 1 + asked_again:
        yield f"it ran {len(done)} times, and a person asked {asked_again} times for another"
    for run in done:
        if not _is_approved(run, rows):
            yield f"it ran with {run.sha256[:12]} at {run.at_s:.3f} without a committed approval of exactly that"
    status = (approval["execution"] or {}).get("status")
    if approval["status"] == "approved" and status not in {"succeeded", "failed"}:
        yield f"the job has ended, and its execution is {status}"
    if status == "succeeded" and not done:
        yield "it is said to have run, and did not"
    if status != "succeeded" and len(done) > asked_again:
        yield f"it is said not to have run ({approval['status']}, {status}), and did"


def _is_approved(run: Run, rows: Iterable[dict[str, Any]]) -> bool:
    """True when the last word before it ran was an approval of these bytes."""
    before = [row for row in rows if datetime.fromisoformat(row["at"]).timestamp() <= run.at_s]
    rulings = [row for row in before if row["verdict"] in RULINGS or row["verdict"] == "undo"]
    return bool(rulings) and (rulings[-1]["verdict"], rulings[-1]["effective_sha256"]) == ("approve", run.sha256)


def _pages(people: People, path: str) -> Iterator[dict[str, Any]]:
    cursor: dict[str, str] = {}
    while True:
        page = people.reviewer.read(path, limit=200, **cursor)
        yield from page["items"]
        if page["next_cursor"] is None:
            return
        cursor = {"cursor": page["next_cursor"]}
