"""The demo's own conversations: the closing words follow from what reviewers decided."""

from collections import Counter

import jsonschema_rs
import orjson
import pytest

from gateway.demo import playback
from gateway.demo.script import demo_script
from gateway.demo.shop import open_shop
from gateway.demo.tools import shop_tools

SCRIPT = demo_script()
EMAIL, REFUND, PARALLEL, LATE = SCRIPT.sample_prompts

CHANGED = '{"account_id":"acc_9921","email":"user@new.com","previous_email":"user@old.com"}'
REFUNDED = '{"refund_id":"ref_1","order_id":"ord_1042","amount":"249.00","currency":"EUR"}'
EDITED = (
    'A reviewer changed the arguments. It ran with {"order_id":"ord_1042","amount":"199.00","currency":"EUR"}.\n'
    + REFUNDED.replace("249.00", "199.00")
)
MAILED = '{"mail_id":"mail_1","to":"orders@tea-room.example","subject":"Your new address"}'
REJECTED = "Action rejected: not without a photo"
EXPIRED = "Action expired: no decision was made in time. It was not executed."


def answer(messages):
    cue = playback.cue(SCRIPT, messages)
    turn = playback.choose(cue, Counter(), "key")
    assert turn is not None
    return playback.words(turn, cue.results), playback.calls(turn, cue)


def play(prompt, *rounds):
    """The closing words, and the names of the tools called in each round, when calls come back with ``rounds``."""
    messages = [{"role": "user", "content": prompt}]
    called = []
    for results in rounds:
        content, calls = answer(messages)
        called.append([call["function"]["name"] for call in calls])
        assert len(calls) == len(results)
        messages.append({"role": "assistant", "content": content, "tool_calls": calls})
        messages += [
            {"role": "tool", "tool_call_id": call["id"], "content": result}
            for call, result in zip(calls, results, strict=True)
        ]
    content, calls = answer(messages)
    assert calls == []
    return content, called


def test_sample_prompts_are_all_answered():
    assert EMAIL == "Change the email for account acc_9921 to user@new.com"
    for prompt in SCRIPT.sample_prompts:
        assert answer([{"role": "user", "content": prompt}])[1], prompt


def test_every_called_tool_exists_and_takes_the_arguments(tmp_path):
    tools = {tool.name: tool for tool in shop_tools(open_shop(tmp_path / "shop.db"))}

    assert SCRIPT.tool_names == set(tools)
    for conversation in SCRIPT.conversations:
        for turn in conversation.turns:
            for call in turn.tool_calls:
                schema = tools[call.name].parameters.as_schema()
                jsonschema_rs.validate(schema, orjson.loads(str(call.wire_arguments)))


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (CHANGED, "Done. The email of account acc_9921 is now user@new.com."),
        (REJECTED, "I did not change the email of account acc_9921. The reviewer said: not without a photo"),
        (EXPIRED, f"I did not change the email of account acc_9921. {EXPIRED}"),
        ("Error: there is no account", "I did not change the email of account acc_9921. Error: there is no account"),
    ],
)
def test_email_change_ends_with_what_happened(result, words):
    assert play(EMAIL, [result]) == (words, [["update_account_email"]])


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (REFUNDED, "I refunded 249.00 EUR for order ord_1042 (refund ref_1)."),
        (EDITED, "I refunded 199.00 EUR for order ord_1042 (refund ref_1)."),
        (REJECTED, "Nothing was refunded for order ord_1042. The reviewer said: not without a photo"),
        (EXPIRED, f"Nothing was refunded for order ord_1042. {EXPIRED}"),
    ],
)
def test_refund_names_the_amount_that_was_really_refunded(result, words):
    looked_up = '{"order_id":"ord_1042","amount":"249.00"}'

    assert play(REFUND, [looked_up], [result]) == (words, [["lookup_order"], ["issue_refund"]])


def test_parallel_calls_end_with_different_words_for_each_outcome():
    outcomes = {play(PARALLEL, [first, second])[0] for first in (CHANGED, REJECTED) for second in (MAILED, REJECTED)}

    assert len(outcomes) == 4
    assert play(PARALLEL, [CHANGED, REJECTED])[0].endswith("no mail was sent. About the mail I was told: " + REJECTED)
    assert play(PARALLEL, [CHANGED, MAILED])[1] == [["update_account_email", "send_email"]]


def test_rejected_refund_is_explained_to_the_customer():
    words, called = play(LATE, [REJECTED], [MAILED])

    assert words == "The refund was rejected. I explained it to the customer at orders@tea-room.example."
    assert called == [["issue_refund"], ["send_email"]]


def test_refund_that_the_shop_refuses_is_said():
    words, _ = play(LATE, ["Error: only 59.90 EUR of order ord_1077 can be refunded"])

    assert words.endswith("Error: only 59.90 EUR of order ord_1077 can be refunded")
