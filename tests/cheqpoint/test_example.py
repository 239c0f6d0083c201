"""The example of the README as a program: Mistral's SDK, the cheqpoint SDK, a reviewer."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.demo.script import read_script
from gateway.demo.scripted_model import running
from gateway.domain.approval import Approve, Reject

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "cheqpoint_refund.py"


@pytest.fixture
def run(served, key) -> Iterator[Callable[[], str]]:
    """What the program prints."""
    with running(read_script(Path(__file__).with_name("refund.toml"))) as model:
        known = {
            "COUNTERSIGN_URL": served.url,
            "COUNTERSIGN_KEY": key,
            "MISTRAL_API_KEY": "scripted",
            "MISTRAL_SERVER_URL": model.url,
        }

        def program() -> str:
            done = subprocess.run(
                [sys.executable, str(EXAMPLE)],
                env={**os.environ, **known}, capture_output=True, text=True, check=False, timeout=60,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            return done.stdout.strip()

        yield program


@pytest.mark.parametrize(
    ("choice", "note", "told"),
    [
        (Approve(), None, "I was told: Refunded 249.0 for W1."),
        (Approve('{"order_id": "W1", "amount": 199.50}'), None, "I was told: Refunded 199.5 for W1."),
        (Approve("{}"), None, "I was told: Error: process_refund() missing 2 required"),
        (Reject(), "Wrong order", "I was told: Action rejected: Wrong order"),
        (Reject(), None, "I was told: Action rejected: blocked by reviewer"),
    ],
)
def test_call_runs_as_approved_or_its_rejection_is_explained(run, reviewer, choice, note, told):
    reviewer.soon(choice, note=note)

    assert run().startswith(told)


def test_readme_names_the_example():
    assert str(EXAMPLE.relative_to(ROOT)) in (ROOT / "README.md").read_text()
