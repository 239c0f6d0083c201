"""From a tool call of the model to an approval: exact bytes, warnings, and calls that nobody can use."""

import json
import re
from typing import Any

import pytest

from gateway.domain.approval import Approve
from gateway.domain.arguments import sha256_hex
from gateway.domain.json_text import LIMITS
from gateway.runner.answer import read_answer
from gateway.store.session import Database
from gateway.usecases import turns
from tests.factories import (
    answer_turn,
    ask,
    call,
    completion,
    decide,
    load_approvals,
    load_decisions,
    load_job,
    make_gateway,
    make_person,
    run,
    submit,
    tool_results,
    transcript,
    verdicts,
)
from tests.fakes import RecordingTool

SCHEMA = {
    "type": "object",
    "properties": {"amount": {"type": "number"}, "to": {"type": "string"}},
    "required": ["amount"],
    "additionalProperties": False,
}
DEEP = '{"a":' * (LIMITS.max_depth + 1) + "1" + "}" * (LIMITS.max_depth + 1)
UNUSABLE = {
    "not JSON": ('{"a": ', "invalid_json"),
    "nothing": ("", "invalid_json"),
    "two documents": ("{} {}", "invalid_json"),
    "a key twice": ('{"a": 1, "a": 2}', "invalid_json"),
    "NaN": ('{"a": NaN}', "invalid_json"),
    "infinity": ('{"a": -Infinity}', "invalid_json"),
    "half of a surrogate pair, escaped": ('{"a": "\\ud800"}', "invalid_json"),
    "half of a surrogate pair": ('{"a": "\ud800"}', "invalid_json"),
    "NUL, escaped": ('{"a": "\\u0000"}', "invalid_json"),
    "NUL": ('{"a": "\x00"}', "invalid_json"),
    "a list": ("[1]", "invalid_json"),
    "text": ('"a"', "invalid_json"),
    "an odd key, too": ('{"\\ud800": {"\\u0000": 1, "\\u0000": 2}}', "invalid_json"),
    "too deep": (DEEP, "invalid_json"),
    "too long a string": ('{"a": "' + "x" * (LIMITS.max_string_bytes + 1) + '"}', "too_large"),
    "too long": ('{"a": "x"}' + " " * LIMITS.max_bytes, "too_large"),
    "too many keys": (json.dumps({str(n): n for n in range(LIMITS.max_keys + 1)}), "too_large"),
}


@pytest.mark.parametrize("reason", UNUSABLE)
def test_arguments_that_cannot_be_used_are_rejected_at_birth(database: Database, reason: str) -> None:
    arguments, code = UNUSABLE[reason]
    tool = RecordingTool()
    gateway = make_gateway(database, tool)

    bad, good = ask(gateway, call("send", arguments), call("send", '{"a": 1}'))

    assert (bad.status, bad.reason_code, bad.details, bad.retryable) == ("rejected", code, None, True)
    kept = arguments.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
    assert (bad.raw_details, bad.details_sha256) == (kept, sha256_hex(kept))
    assert verdicts(gateway, bad.id) == [("reject", "system")]
    [decision] = load_decisions(gateway, bad.id)
    assert decision.reason_code == code
    [told] = tool_results(gateway, bad.job_id or "")
    assert told.startswith("Error: the arguments cannot be used. ")
    assert good.status == "pending", "its sibling is not touched"
    assert load_job(gateway, bad.job_id or "").status == "waiting"


def test_limits_themselves_are_allowed(database: Database) -> None:
    gateway = make_gateway(database, RecordingTool())
    deep = '{"a":' * LIMITS.max_depth + "1" + "}" * LIMITS.max_depth
    long = '{"a": "' + "x" * (LIMITS.max_string_bytes - 2) + '"}'
    many = json.dumps({str(n): n for n in range(LIMITS.max_keys)})

    approvals = ask(gateway, *(call("send", arguments) for arguments in (deep, long, many)))

    assert [(one.status, one.details) for one in approvals] == [("pending", text) for text in (deep, long, many)]


def test_all_calls_unusable_asks_the_model_again_without_a_person(database: Database) -> None:
    gateway = make_gateway(database, RecordingTool())

    [approval] = ask(gateway, call("send", "{"))

    job = load_job(gateway, approval.job_id or "")
    assert job.status == "running"
    [again] = answer_turn(gateway, job.id, call("send", "{}"))
    assert again.status == "pending"


def test_invented_tool_is_refused_and_named(database: Database) -> None:
    gateway = make_gateway(database, RecordingTool())

    [approval] = ask(gateway, call("send_money", '{"a": 1}'))

    assert (approval.status, approval.reason_code, approval.action) == ("rejected", "unknown_tool", "send_money")
    assert approval.raw_details == '{"a": 1}'
    assert tool_results(gateway, approval.job_id or "") == [
        "Error: there is no tool named send_money here. It was not executed."
    ]
    assert verdicts(gateway, approval.id) == [("reject", "system")]


def test_tool_that_was_not_offered_to_the_job_is_refused(database: Database) -> None:
    hidden = RecordingTool("refund", approval="auto")
    gateway = make_gateway(database, RecordingTool("send"), hidden)

    [approval] = ask(gateway, call("refund"), tools=("send",))

    assert (approval.status, approval.reason_code) == ("rejected", "unknown_tool")
    assert hidden.calls == []


def test_name_that_mistral_refuses_is_changed_only_in_what_is_sent_back(database: Database) -> None:
    gateway = make_gateway(database, RecordingTool())
    name = "shop.refund now\x00" + "é" * 80

    [approval] = ask(gateway, call(name))

    assert approval.action == name.replace("\x00", "\ufffd")
    _, assistant, result = transcript(gateway, approval.job_id or "")
    sent_back = assistant["tool_calls"][0]["function"]["name"]
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", sent_back)
    assert result["name"] == sent_back


def test_object_instead_of_text_keeps_its_numbers_as_written(database: Database) -> None:
    tool = RecordingTool()
    gateway = make_gateway(database, tool)
    job = submit(gateway).job
    body = completion(call("send", "ARGUMENTS")).replace(
        '"ARGUMENTS"', '{ "amount" : 249.00, "id": 12345678901234567890 }'
    )
    claim = turns.claim_turn(gateway, job.id)
    assert claim is not None
    turns.record_answer(gateway, claim, read_answer(body))

    [approval] = load_approvals(gateway, job.id)

    assert (approval.status, approval.details) == ("pending", '{"amount":249.00,"id":12345678901234567890}')
    assert [warning["code"] for warning in json.loads(approval.warnings)] == ["arguments_not_text"]
    decide(gateway, make_person(gateway), approval)
    run(gateway, approval)
    assert tool.received == ['{"amount":249.00,"id":12345678901234567890}']
    assert transcript(gateway, job.id)[1]["tool_calls"][0]["function"]["arguments"] == approval.details


@pytest.mark.parametrize("written", ['{"a": 1, "a": 2}', '{"a": NaN}', '{"a": "\\ud800"}', "[1]", "null", "7"])
def test_object_instead_of_text_is_read_as_strictly_as_text(database: Database, written: str) -> None:
    gateway = make_gateway(database, RecordingTool())
    job = submit(gateway).job
    claim = turns.claim_turn(gateway, job.id)
    assert claim is not None
    body = completion(call("send", "ARGUMENTS")).replace('"ARGUMENTS"', written)

    turns.record_answer(gateway, claim, read_answer(body))

    [approval] = load_approvals(gateway, job.id)
    assert (approval.status, approval.reason_code) == ("rejected", "invalid_json")


def test_long_or_odd_words_beside_an_object_do_not_change_its_numbers(database: Database) -> None:
    gateway = make_gateway(database, RecordingTool())
    job = submit(gateway).job
    claim = turns.claim_turn(gateway, job.id)
    assert claim is not None
    words = "x" * (LIMITS.max_string_bytes + 1) + "\x00\ud800"
    body = completion(call("send", "ARGUMENTS"), text=words).replace('"ARGUMENTS"', '{"amount": 1.00}')

    turns.record_answer(gateway, claim, read_answer(body))

    [approval] = load_approvals(gateway, job.id)
    assert approval.details == '{"amount":1.00}'
    assert (approval.summary or "").startswith("xxx")


def test_schema_mismatch_is_a_warning_and_may_be_approved_unedited(database: Database) -> None:
    tool = RecordingTool(schema=SCHEMA)
    gateway = make_gateway(database, tool)
    arguments = '{"amount": "a lot", "extra": 1}'

    [approval] = ask(gateway, call("send", arguments))

    warnings = json.loads(approval.warnings)
    assert approval.status == "pending"
    assert {(warning["code"], warning["path"]) for warning in warnings} == {
        ("schema_mismatch", "/amount"),
        ("schema_mismatch", ""),
    }
    decide(gateway, make_person(gateway), approval, Approve(arguments.replace(": ", ":")))
    run(gateway, approval)
    assert tool.received == [arguments], "an edit equal in structure and literals is no edit"


@pytest.mark.parametrize("given", ["null", "", "a\x00b", "\ud800", None, 7])
def test_id_that_names_no_call_is_replaced_everywhere(database: Database, given: object) -> None:
    gateway = make_gateway(database, RecordingTool())

    approvals = ask(gateway, {**call("send"), "id": given}, {**call("send"), "id": given})

    _, assistant = transcript(gateway, approvals[0].job_id or "")
    ids = [one["id"] for one in assistant["tool_calls"]]
    assert len(set(ids)) == 2
    assert all(re.fullmatch(r"[A-Za-z0-9]{9}", one) for one in ids)
    assert [approval.tool_call_id for approval in approvals] == ids


def test_missing_id_is_replaced(database: Database) -> None:
    gateway = make_gateway(database, RecordingTool(approval="auto"))
    nameless = call("send")
    del nameless["id"]

    [approval] = ask(gateway, nameless)
    run(gateway, approval)

    _, assistant, result = transcript(gateway, approval.job_id or "")
    assert assistant["tool_calls"][0]["id"] == result["tool_call_id"] == approval.tool_call_id


def test_doubled_and_reused_ids_are_replaced_and_others_kept_verbatim(database: Database) -> None:
    gateway = make_gateway(database, RecordingTool(approval="auto"))
    first = ask(
        gateway, call("send", id="abcdefgh1"), call("send", id="abcdefgh1"), call("send", id="chatcmpl-tool-9f1")
    )
    for approval in first:
        run(gateway, approval)
    job_id = first[0].job_id or ""

    second = answer_turn(gateway, job_id, call("send", id="abcdefgh1"), call("send", id="abcdefgh2"))

    ids = [approval.tool_call_id for approval in [*first, *second]]
    assert (ids[0], ids[2], ids[4]) == ("abcdefgh1", "chatcmpl-tool-9f1", "abcdefgh2")
    assert len(set(ids)) == 5
    messages = transcript(gateway, job_id)
    assert [one["id"] for one in messages[1]["tool_calls"]] == ids[:3]
    assert [message["tool_call_id"] for message in messages if message["role"] == "tool"] == ids[:3]
    assert [one["id"] for one in messages[5]["tool_calls"]] == ids[3:]


def test_id_of_a_submitted_message_is_not_given_out_again(database: Database) -> None:
    gateway = make_gateway(database, RecordingTool())
    earlier: dict[str, object] = {
        "role": "assistant", "content": "", "tool_calls": [call("send", id="abcdefgh1")],
    }  # fmt: skip
    result = {"role": "tool", "tool_call_id": "abcdefgh1", "name": "send", "content": "sent"}
    messages: list[dict[str, Any]] = [{"role": "user", "content": "Send it"}, earlier, result]
    texts = tuple((str(message["role"]), json.dumps(message)) for message in messages)

    [approval] = ask(gateway, call("send", id="abcdefgh1"), messages=texts)

    assert approval.tool_call_id != "abcdefgh1"


def test_words_beside_a_call_may_hold_any_character(database: Database) -> None:
    gateway = make_gateway(database, RecordingTool())
    job = submit(gateway).job

    [approval] = answer_turn(gateway, job.id, call("send"), text="a\x00b\ud800c")

    assert approval.summary == "a\ufffdb?c"
