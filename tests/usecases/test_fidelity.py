"""What a tool receives is, byte for byte, what was decided: over generated documents and over 400 real ones."""

import json
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from gateway.domain.approval import Approve
from gateway.domain.arguments import is_same, sha256_hex
from gateway.domain.json_text import LiteralValue
from gateway.store.session import Database
from gateway.usecases import claims
from tests.domain.test_argument_fidelity import keys, trees, write, write_object, writers
from tests.factories import ask, call, decide, load_execution, make_gateway, make_person, run, tool_results
from tests.fakes import RecordingTool

BFCL = Path(__file__).parents[2].parent / "shared" / "data" / "bfcl_sample.jsonl"
JOBS = {"sqlite": 250, "postgresql": 50}  # the bytes take the same way on both, and PostgreSQL takes longer
CALLS_PER_JOB = 20  # one approved as asked, two with edits, the rest by the tool's setting

documents = st.dictionaries(keys, trees, max_size=4)


def test_executed_bytes_are_the_decided_ones(database: Database) -> None:
    if database.is_sqlite:
        # It need not wait for the disk here.
        event.listen(database.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
    gateway = make_gateway(database, RecordingTool("ask"), RecordingTool("auto", approval="auto"))
    reviewer = make_person(gateway)
    jobs = JOBS[database.url.get_backend_name()]
    cases = 0

    @settings(max_examples=jobs, deadline=None, derandomize=True, database=None)
    @given(st.lists(documents, min_size=1, max_size=5), writers)
    def check(trees: list[dict[str, LiteralValue]], writer: Random) -> None:
        nonlocal cases

        def spelled(number: int) -> str:
            tree = trees[number % len(trees)]
            return write_object({f"d{number}": write(tree, writer)}, writer)

        asked = [spelled(number) for number in range(CALLS_PER_JOB)]
        names = ["ask"] * 3 + ["auto"] * (CALLS_PER_JOB - 3)
        approvals = ask(gateway, *map(call, names, asked))
        decided = list(asked)
        decide(gateway, reviewer, approvals[0])
        for n in (1, 2):
            edited = spelled(n).replace("{", '{"x": 1.00, ', 1) if n == 1 else spelled(n)
            decide(gateway, reviewer, approvals[n], Approve(edited))
            decided[n] = asked[n] if is_same(edited, asked[n]) else edited
        assert decided[1] != asked[1]
        for approval, text in zip(approvals, decided, strict=True):
            claimed = claims.claim_call(gateway, approval.id, 1)
            assert claimed is not None
            assert claimed.context.arguments_json.encode() == text.encode()
            cases += 1

    check()
    assert cases == jobs * CALLS_PER_JOB


@pytest.mark.skipif(not BFCL.is_file(), reason="the real tool calls are not here: ../shared/data beside the project")
def test_real_tool_calls_pass_from_intake_to_execution_and_mismatches_are_warnings(database: Database) -> None:
    cases = [json.loads(line) for line in BFCL.read_text().splitlines()]
    assert (len(cases), sum(not one["valid_draft2020_12"] for one in cases)) == (400, 40)
    tools = [RecordingTool(f"tool_{n}", schema=one["tool"]["function"]["parameters"]) for n, one in enumerate(cases)]
    gateway = make_gateway(database, *tools)
    reviewer = make_person(gateway)
    warned = set()

    for start in range(0, len(cases), 4):
        batch = range(start, start + 4)
        texts = [json.dumps(cases[n]["arguments"], ensure_ascii=n % 2 == 0) for n in batch]
        names = [f"tool_{n}" for n in batch]
        approvals = ask(gateway, *map(call, names, texts), tools=tuple(names))
        for n, text, approval in zip(batch, texts, approvals, strict=True):
            assert (approval.status, approval.details) == ("pending", text)
            codes = {warning["code"] for warning in json.loads(approval.warnings)}
            assert codes <= {"schema_mismatch", "link"}
            if "schema_mismatch" in codes:
                warned.add(n)
            decide(gateway, reviewer, approval)
            run(gateway, approval)
            assert tools[n].received == [text]
            execution = load_execution(gateway, approval.id)
            assert execution is not None
            assert (execution.status, execution.details_sha256) == ("succeeded", sha256_hex(text))
        assert tool_results(gateway, approvals[0].job_id or "") == ["sent"] * 4

    assert warned == {n for n, one in enumerate(cases) if not one["valid_draft2020_12"]}
