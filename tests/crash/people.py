"""The world around the gateway: an app that submits jobs, and a reviewer who decides what they ask.

Both are patient: what was not answered is said again, in the same words and with the same key, until it is.
"""

import json
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx2

from tests.crash import counter
from tests.crash.installation import PASSWORD, REVIEWER, Installation
from tests.crash.points import Talk

PATIENCE_S = 60.0
PAUSE_S = 0.02
LOOK_EVERY_S = 0.05
EDITED = '{"say":"edit", "amount":7.50}'
FINAL = frozenset({"succeeded", "failed", "cancelled"})


class NotAsPromised(AssertionError):
    """What the gateway did is not what it promises."""


@dataclass
class Job:
    """A job on its way, as its app sees it."""

    talk: Talk
    key: str  #: Idempotency-Key, and in its metadata
    id: str = ""
    status: str = ""
    ended_at_s: float = 0.0  #: monotonic


@dataclass
class Caller:
    """Somebody with a credential who repeats a request until it is answered."""

    http: httpx2.Client
    unanswered: list[httpx2.Response] = field(default_factory=list)  #: 503, each with the reason why not

    def ask(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """The answer. Raises: NotAsPromised when there is none for a minute."""
        deadline_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline_s:
            try:
                answer = self.http.request(method, path, **options)
            except (httpx2.NetworkError, httpx2.RemoteProtocolError, httpx2.TimeoutException):
                time.sleep(PAUSE_S)
                continue
            if answer.status_code != 503:
                return answer
            self.unanswered.append(answer)
            time.sleep(PAUSE_S)
        raise NotAsPromised(f"{method} {path} was not answered for {PATIENCE_S:g} s")

    def read(self, path: str, **query: Any) -> Any:
        answer = self.ask("GET", path, params=query)
        if answer.status_code != 200:
            raise NotAsPromised(f"GET {path}: {answer.status_code} {answer.text}")
        return answer.json()


class People:
    """The app and the reviewer of one installation; one thread per job may use them."""

    def __init__(self, installation: Installation) -> None:
        self._runs_file = installation.runs_file
        self.jobs: list[Job] = []  #: all that the app has ever submitted
        self.app = Caller(_client(installation, installation.app_key))
        self.reviewer = Caller(_client(installation, installation.token))
        self.browser = Caller(_client(installation, None, **{"Sec-Fetch-Site": "same-origin"}))
        self._signing_in = threading.Lock()
        self.is_settling = True  #: the reviewer looks after calls that are in doubt

    def close(self) -> None:
        for caller in (self.app, self.reviewer, self.browser):
            caller.http.close()

    def see_through(self, job: Job, until_s: Callable[[], float] = lambda: float("inf")) -> None:
        """The job was submitted, decided where it asked, and has ended. Raises: NotAsPromised."""
        self.submit(job)
        done: set[Any] = set()
        while True:
            state = self.app.read(f"/api/v1/jobs/{job.id}")
            job.status = state["status"]
            calls = {call["status"] for call in state["tool_calls"]}
            # What had begun when a job was cancelled goes on, and may be in doubt in the end.
            if job.status in FINAL and not calls & {"started", "unknown"}:
                job.ended_at_s = time.monotonic()
                return
            if calls & {"pending", "unknown"}:
                self._attend(job, done)
            if time.monotonic() > until_s():
                raise NotAsPromised(f"job {job.key} is stuck: {state}")
            # Not woken by each of its changes: answering would be most of what the gateway does here.
            time.sleep(LOOK_EVERY_S)

    def new_job(self, talk: Talk) -> Job:
        """A job that the app is about to submit."""
        job = Job(talk, key=f"{talk}-{uuid.uuid4().hex[:8]}")
        self.jobs.append(job)
        return job

    def submit(self, job: Job) -> bool:
        """The job has its id; True when it had been submitted before."""
        body = {"input": f"{job.talk} {job.key}", "metadata": {"key": job.key}}
        answer = self.app.ask("POST", "/api/v1/jobs", json=body, headers={"Idempotency-Key": job.key})
        if answer.status_code not in {200, 202}:
            raise NotAsPromised(f"submitting {job.key}: {answer.status_code} {answer.text}")
        job.id = answer.json()["id"]
        return "Idempotent-Replayed" in answer.headers

    def _attend(self, job: Job, done: set[Any]) -> None:
        for approval in self.approvals(job.id):
            execution = approval["execution"] or {}
            if approval["status"] == "pending" and approval["id"] not in done:
                self._decide(approval)
                done.add(approval["id"])
                continue
            attempt = (approval["id"], execution.get("attempt"))
            if execution.get("status") == "unknown" and attempt not in done and self.is_settling:
                self._settle(approval)
                done.add(attempt)
        if job.talk is Talk.CANCELLED and job.status not in FINAL:
            answer = self.app.ask("POST", f"/api/v1/jobs/{job.id}/cancel")
            if answer.status_code != 200:
                raise NotAsPromised(f"cancelling {job.key}: {answer.status_code} {answer.text}")

    def _decide(self, approval: dict[str, Any]) -> None:
        match approval["details"]["say"]:
            case "approve":
                self._rule(approval, "approve")
            case "edit":
                self._rule(approval, "approve", modified_details=EDITED)
            case "reject":
                self._rule(approval, "reject", note="No.")
            case "respond":
                self._rule(approval, "respond", response="It was done by hand.")
            case "undo":
                self._change_ones_mind(approval)

    def _rule(self, approval: dict[str, Any], verdict: str, modified_details: str | None = None, **more: str) -> None:
        body = json.dumps({"verdict": verdict, "details_sha256": approval["details_sha256"], **more})
        if modified_details is not None:
            body = f'{body[:-1]}, "modified_details": {modified_details}}}'
        path, headers = f"/api/v1/approvals/{approval['id']}/decision", {"Content-Type": "application/json"}
        answer = self.reviewer.ask("POST", path, content=body, headers=headers)
        # The same decision again by the same person is no conflict: nobody else decides here.
        if answer.status_code != 200:
            raise NotAsPromised(f"deciding {approval['id']}: {answer.status_code} {answer.text}")

    def _change_ones_mind(self, approval: dict[str, Any]) -> None:
        """Approved on the page, and taken back if that is still possible: then rejected."""
        self._sign_in()
        form = {"verdict": "approve", "details_sha256": approval["details_sha256"]}
        answer = self.browser.ask("POST", f"/approvals/{approval['id']}/decision", data=form)
        if answer.status_code != 303:
            raise NotAsPromised(f"deciding {approval['id']} on the page: {answer.status_code}")
        undone = self.reviewer.ask("POST", f"/api/v1/approvals/{approval['id']}/undo")
        # 409: it was released meanwhile, or undone by a request whose answer was lost.
        if undone.status_code not in {200, 409}:
            raise NotAsPromised(f"undoing {approval['id']}: {undone.status_code} {undone.text}")
        verdicts = [row["verdict"] for row in self.decisions(approval["job_id"])]
        if verdicts[-1] == "undo":
            self._rule(approval, "reject", note="Changed my mind.")

    def _sign_in(self) -> None:
        with self._signing_in:
            if self.browser.http.cookies:
                return
            answer = self.browser.ask("POST", "/sign-in", data={"email": REVIEWER, "password": PASSWORD})
            if answer.status_code != 303:
                raise NotAsPromised(f"signing in: {answer.status_code}")

    def _settle(self, approval: dict[str, Any]) -> None:
        """The reviewer looks into the tool's own records, and says what stands there."""
        if approval["details"].get("in_doubt") == "run_again" and approval["execution"]["attempt"] == 1:
            body = {"outcome": "run_again", "note": "Once more."}
        elif counter.counted(self._runs_file)[approval["id"]]:
            body = {"outcome": "ran", "result": "done", "note": "It stands in the tool's records."}
        else:
            body = {"outcome": "did_not_run", "note": "Nothing in the tool's records."}
        answer = self.reviewer.ask("POST", f"/api/v1/approvals/{approval['id']}/resolution", json=body)
        # 409: the answer to the first time was lost, or the worker came back with the outcome.
        if answer.status_code not in {200, 409}:
            raise NotAsPromised(f"settling {approval['id']}: {answer.status_code} {answer.text}")

    def approvals(self, job_id: str) -> list[dict[str, Any]]:
        """The calls of the job that stand before a person, or did."""
        items: list[dict[str, Any]] = self.reviewer.read("/api/v1/approvals", job_id=job_id, limit=200)["items"]
        return items

    def decisions(self, job_id: str) -> list[dict[str, Any]]:
        """The rows of the decision log about this job, in order."""
        rows = self.reviewer.read("/api/v1/decisions", job_id=job_id, limit=200)["items"]
        return sorted(rows, key=lambda row: row["seq"])


def _client(installation: Installation, credential: str | None, **headers: str) -> httpx2.Client:
    if credential is not None:
        headers["Authorization"] = f"Bearer {credential}"
    return httpx2.Client(base_url=installation.url, headers=headers, timeout=20, trust_env=False)
