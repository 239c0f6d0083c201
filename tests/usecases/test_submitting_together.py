"""Jobs that come in at the same time are written by one commit, and fail one by one."""

import asyncio
from collections.abc import Sequence

from gateway.errors import IdempotencyKeyReused, UnknownTool
from gateway.store.session import Database
from gateway.usecases.jobs import Submission, Submitted
from gateway.usecases.submitting import Submissions
from tests.factories import event_names, load_job, make_app, make_gateway, submission

UNWRITABLE = "\ud800@example.com"  # a lone surrogate: neither database can keep it


def submit_all(database: Database, wanted: Sequence[Submission]) -> list[Submitted | BaseException]:
    gateway = make_gateway(database)
    submissions, app = Submissions(gateway), make_app("shop")

    async def ask() -> list[Submitted | BaseException]:
        return await asyncio.gather(*(submissions.submit(app, one) for one in wanted), return_exceptions=True)

    try:
        return asyncio.run(ask())
    finally:
        submissions.stop()


def test_each_of_many_submissions_is_a_job_of_its_own(database: Database) -> None:
    outcomes = submit_all(database, [submission() for _ in range(40)])

    ids = {outcome.job.id for outcome in outcomes if isinstance(outcome, Submitted)}
    assert len(ids) == 40
    gateway = make_gateway(database)
    assert all(event_names(gateway, job_id) == ["job.submitted"] for job_id in ids)


def test_one_that_cannot_be_written_does_not_take_the_others_down(database: Database) -> None:
    wanted = [submission(), submission(on_behalf_of=UNWRITABLE), submission()]

    first, bad, last = submit_all(database, wanted)

    assert isinstance(first, Submitted)
    assert isinstance(last, Submitted)
    assert isinstance(bad, UnicodeEncodeError)
    assert load_job(make_gateway(database), last.job.id).status == "queued"


def test_refusals_reach_the_one_who_asked(database: Database) -> None:
    wanted = [
        submission(idempotency_key="k", body_sha256="a" * 64),
        submission(tools=("nothing_like_it",)),
        submission(idempotency_key="k", body_sha256="a" * 64),
        submission(idempotency_key="k", body_sha256="b" * 64),
    ]

    first, unknown, same, other = submit_all(database, wanted)

    assert isinstance(first, Submitted)
    assert isinstance(unknown, UnknownTool)
    assert isinstance(same, Submitted)
    assert (same.is_replay, same.job.id) == (True, first.job.id)
    assert isinstance(other, IdempotencyKeyReused)


def test_what_was_asked_before_the_end_is_answered(database: Database) -> None:
    gateway = make_gateway(database)
    submissions, app = Submissions(gateway), make_app("shop")

    async def ask_and_stop() -> Submitted:
        asked = asyncio.ensure_future(submissions.submit(app, submission()))
        await asyncio.sleep(0)
        await asyncio.to_thread(submissions.stop)
        return await asked

    assert load_job(gateway, asyncio.run(ask_and_stop()).job.id).status == "queued"
