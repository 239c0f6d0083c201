"""A worker freezes past its lease and goes on when others have taken its work: nothing runs twice unasked."""

import os
import signal
import time

import pytest

from tests.crash.case import await_obedience, journey
from tests.crash.conftest import Site
from tests.crash.installation import LEASE_S, until
from tests.crash.points import Moment, Step, Talk, get
from tests.crash.reckoning import reckon
from tests.crash.switch import Action, Order

#: In the middle of a model call, between a claim and its call, inside a call, and with locks that others want.
PLACES = [
    (Moment.BEFORE_COMMIT, Step.CLAIM_TURN),
    (Moment.BEFORE, Step.ASK_MODEL),
    (Moment.INSIDE, Step.ASK_MODEL),
    (Moment.AFTER, Step.ASK_MODEL),
    (Moment.BEFORE_COMMIT, Step.CLAIM_CALL),
    (Moment.AFTER_COMMIT, Step.CLAIM_CALL),
    (Moment.BEFORE, Step.RUN_TOOL),
    (Moment.INSIDE, Step.RUN_TOOL),
    (Moment.AFTER, Step.RUN_TOOL),
    (Moment.BEFORE_COMMIT, Step.RECORD_OUTCOME),
]
GOES_ON_WITHIN_S = 10.0
#: What a worker passes last once it goes on.
END_OF = {
    Step.CLAIM_TURN: Step.ADVANCE_JOB,
    Step.ASK_MODEL: Step.ADVANCE_JOB,
    Step.CLAIM_CALL: Step.RUN_CALL,
    Step.RUN_TOOL: Step.RUN_CALL,
    Step.RECORD_OUTCOME: Step.RUN_CALL,
}


@pytest.mark.parametrize(("moment", "step"), PLACES)
def test_a_frozen_worker_loses_its_work_and_does_no_harm_when_it_goes_on(
    postgres_site: Site, moment: Moment, step: Step
) -> None:
    installation, people = postgres_site.installation, postgres_site.people
    installation.switch.give(Order(get(moment, step).number, Action.FREEZE))
    with journey(people, Talk.PARALLEL) as begun:
        [frozen] = await_obedience(installation, begun, 1)
    ended = installation.passed(Moment.AFTER, END_OF[step])
    os.kill(frozen.pid, signal.SIGCONT)
    installation.await_passage(Moment.AFTER, END_OF[step], ended, GOES_ON_WITHIN_S)

    reckon(installation, people, begun.jobs)


@pytest.mark.parametrize(("moment", "step"), PLACES)
def test_a_frozen_installation_goes_on_where_it_was(sqlite_site: Site, moment: Moment, step: Step) -> None:
    installation, people = sqlite_site.installation, sqlite_site.people
    installation.switch.give(Order(get(moment, step).number, Action.FREEZE))
    with journey(people, Talk.PARALLEL) as begun:
        [frozen] = await_obedience(installation, begun, 1)
        time.sleep(1.5 * LEASE_S)
        os.kill(frozen.pid, signal.SIGCONT)

    reckon(installation, people, begun.jobs)


def test_an_outcome_that_comes_late_settles_the_doubt(postgres_site: Site) -> None:
    installation, people = postgres_site.installation, postgres_site.people
    people.is_settling = False
    installation.switch.give(Order(get(Moment.INSIDE, Step.RUN_TOOL).number, Action.FREEZE))
    with journey(people, Talk.BRIEF) as begun:
        [frozen] = await_obedience(installation, begun, 1)
        [job] = begun.jobs
        until(lambda: _execution(postgres_site, job.id) == "unknown", 10, installation.said)
        assert people.app.read(f"/api/v1/jobs/{job.id}")["status"] == "waiting"
        os.kill(frozen.pid, signal.SIGCONT)
    people.is_settling = True

    reckon(installation, people, begun.jobs)
    assert _execution(postgres_site, job.id) == "succeeded"
    assert [row["verdict"] for row in people.decisions(job.id)] == ["approve"]


def _execution(site: Site, job_id: str) -> str:
    [approval] = site.people.approvals(job_id)
    return str((approval["execution"] or {}).get("status"))
