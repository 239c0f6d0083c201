"""Jobs that must have ended by a certain time."""

from datetime import datetime

from gateway.domain.job import JobStatus
from gateway.store import decisions, jobs
from gateway.store.session import Session
from gateway.store.tables import Job
from gateway.usecases import closing, ledger, progress
from gateway.usecases.gateway import Gateway

BATCH = 100

REASON_CODE = "deadline"


def end_overdue(gateway: Gateway) -> int:
    """Unfinished jobs whose deadline has passed have failed; how many there were."""
    with gateway.database.read() as session:
        overdue = jobs.overdue(session, gateway.database.now(session), BATCH)
    for job_id in overdue:
        with gateway.database.write() as session:
            job = jobs.lock(session, job_id)
            now = gateway.database.now(session)
            if job is not None and is_overdue(job, now):
                end_at_deadline(gateway, session, job, now)
    return len(overdue)


def is_overdue(job: Job, now: datetime) -> bool:
    """True for an unfinished job whose deadline has passed, whether or not that was written down yet."""
    return job.deadline_at is not None and job.deadline_at <= now and not JobStatus(job.status).is_final


def end_at_deadline(gateway: Gateway, session: Session, job: Job, now: datetime) -> None:
    """The overdue job has failed and its open calls are cancelled. The last thing of a transaction that locks it."""
    entries = closing.close_calls(gateway, session, job, ledger.SYSTEM, REASON_CODE, now)
    message = "The job had not ended when its deadline passed."
    progress.end(session, job, JobStatus.FAILED, now, error_code=REASON_CODE, error_message=message)
    decisions.append(session, entries)
