"""The unmodified tools for LangChain, LangGraph and CrewAI against a running gateway (``make frameworks``)."""

import json
import os
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.domain.approval import Approve, Reject
from gateway.usecases import approvals

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-frameworks" / "bin" / "python"
ASKED = {"action": "process_refund", "summary": "Refund a lost order", "details": {"order_id": "W1", "amount": 249.0}}

pytestmark = pytest.mark.parametrize("framework", ["langchain", "langgraph", "crewai"])


@pytest.fixture
def use(served, key, tmp_path):
    """What the framework's tool gives its model."""

    def run(framework: str, credential: str = key) -> str:
        command = [PYTHON, Path(__file__).with_name("use_tool.py"), framework, served.url, credential]
        quiet = {"CREWAI_DISABLE_TELEMETRY": "true", "OTEL_SDK_DISABLED": "true", "HOME": str(tmp_path)}
        done = subprocess.run(
            [*map(str, command), json.dumps(ASKED)],
            env={**os.environ, **quiet}, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip().splitlines()[-1]

    return run


def test_approved(use, reviewer, framework):
    reviewer.soon(note="Shipping stays")

    assert use(framework) == "APPROVED: Shipping stays"


def test_an_edit_is_told_in_words_because_nothing_else_of_it_arrives(use, reviewer, framework):
    reviewer.soon(Approve('{"order_id": "W1", "amount": 199.50}'))

    told = use(framework)

    assert told.startswith("APPROVED: The reviewer changed the arguments.")
    assert told.endswith('{"order_id":"W1","amount":199.50}')


def test_rejected(use, reviewer, framework):
    reviewer.soon(Reject(), note="Wrong order")

    assert use(framework) == "REJECTED: Wrong order. Do not proceed with this action."


def test_expired(use, reviewer, gateway, framework):
    def expire(waiting) -> None:
        with gateway.database.write() as session:
            row = session.get(type(waiting), waiting.id)
            row.expires_at = gateway.database.now(session) - timedelta(seconds=1)
        approvals.expire_due(gateway)

    reviewer.do_soon(expire)

    assert "REJECTED: No decision was made in time" in use(framework)


def test_wrong_key(use, framework):
    told = use(framework, "cs_app_wrong")

    assert told.startswith("ERROR: ")
    assert "Do not proceed" in told
