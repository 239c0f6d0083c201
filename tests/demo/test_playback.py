"""Choosing a turn: the same request always gets the same answer."""

from collections import Counter

from gateway.demo import playback
from gateway.demo.script import Conversation, Script, ScriptedCall, Turn

CALL = Turn(tool_calls=[ScriptedCall(name="refund"), ScriptedCall(name="mail")])


def user(text):
    return {"role": "user", "content": text}


def asked(*ids):
    calls = [{"id": each, "function": {"name": "x", "arguments": "{}"}} for each in ids]
    return {"role": "assistant", "content": "", "tool_calls": calls}


def result(call_id, text):
    return {"role": "tool", "tool_call_id": call_id, "content": text}


def said(script, messages, failures=None):
    cue = playback.cue(script, messages)
    turn = playback.choose(cue, failures if failures is not None else Counter(), "key")
    return playback.words(turn, cue.results) if turn else None


def one(*turns, when=""):
    return Script(conversations=[Conversation(when=when, turns=turns)])


def test_last_user_message_chooses_the_conversation():
    script = Script(
        conversations=[
            Conversation(when="Refund", turns=[Turn(content="refunding")]),
            Conversation(when="thank", turns=[Turn(content="welcome")]),
        ]
    )

    assert said(script, [user("please REFUND me")]) == "refunding"
    messages = [user("refund"), {"role": "assistant", "content": "refunding"}, user("Thanks")]
    assert said(script, messages) == "welcome"


def test_first_fitting_conversation_wins():
    script = Script(
        conversations=[
            Conversation(when="order", turns=[Turn(content="one")]),
            Conversation(when="order 7", turns=[Turn(content="two")]),
        ]
    )

    assert said(script, [user("order 7")]) == "one"


def test_prompt_in_chunks_is_read():
    assert said(one(Turn(content="yes"), when="pay"), [user([{"type": "text", "text": "Pay!"}])]) == "yes"


def test_unknown_prompt_and_end_of_script_have_no_turn():
    script = one(Turn(content="only"), when="pay")

    assert said(script, [user("sing")]) is None
    assert said(script, [user("pay"), {"role": "assistant", "content": "only"}]) is None
    assert said(script, []) is None


def test_assistant_messages_since_the_prompt_are_counted():
    script = one(CALL, Turn(content="second"), when="pay")
    earlier = [user("pay"), asked("a"), result("a", "ok"), {"role": "assistant", "content": "done"}]

    assert said(script, [*earlier, user("pay"), asked("b"), result("b", "ok")]) == "second"


def test_results_fill_their_places_in_the_order_of_the_calls():
    script = one(CALL, Turn(content="{result:1} / {result:2} / {result:3}"))
    messages = [user("x"), asked("a", "b"), result("b", "second"), result("a", "first")]

    assert said(script, messages) == "first / second / {result:3}"


def test_members_of_json_results_keep_their_number_text():
    script = one(CALL, Turn(content="{result:1.amount} {result:1.note} {result:2.gone}"))
    messages = [user("x"), asked("a", "b"), result("a", '{"amount":199.00,"note":"ü"}'), result("b", "{}")]

    assert said(script, messages) == "199.00 ü {result:2.gone}"


def test_json_after_a_line_about_edits_is_read():
    script = one(CALL, Turn(content="{result:1.amount}"))
    text = 'A reviewer changed the arguments; it ran with {"amount":"1.00"}.\n{"amount":"99.00"}'

    assert said(script, [user("x"), asked("a"), result("a", text)]) == "99.00"


def test_reason_is_what_follows_the_colon():
    script = one(CALL, Turn(content="{reason:1}|{reason:2}"))
    messages = [user("x"), asked("a", "b"), result("a", "Action rejected: too much: really"), result("b", "plain")]

    assert said(script, messages) == "too much: really|plain"


def test_first_alternative_whose_condition_holds_answers():
    script = one(
        CALL,
        Turn(if_result_contains={1: "rejected", 2: "rejected"}, content="both"),
        Turn(if_result_contains={2: "rejected"}, content="second"),
        Turn(if_result_contains="rejected", content="some"),
        Turn(content="none"),
    )

    def outcome(first, second):
        return said(script, [user("x"), asked("a", "b"), result("a", first), result("b", second)])

    assert outcome("Action rejected: no", "Action REJECTED: no") == "both"
    assert outcome("ok", "Action rejected: no") == "second"
    assert outcome("Action rejected: no", "ok") == "some"
    assert outcome("ok", "ok") == "none"


def test_no_alternative_holds_and_no_turn_answers():
    assert (
        said(one(CALL, Turn(if_result_contains="ok", content="x")), [user("x"), asked("a"), result("a", "no")]) is None
    )


def test_failure_happens_as_often_as_the_script_says():
    script = one(Turn(status=429, times=2), Turn(content="at last"))
    failures: Counter[str] = Counter()
    cue = playback.cue(script, [user("x")])

    chosen = [playback.choose(cue, failures, "one") for _ in range(3)]

    assert [turn.status for turn in chosen if turn] == [429, 429, None]
    other = playback.choose(cue, failures, "two")
    assert other is not None
    assert other.status == 429, "another request has its own count"


def test_repeating_turn_never_ends_and_its_ids_differ():
    script = one(CALL.model_copy(update={"repeat": True}))
    messages = [user("x")]
    ids: list[str] = []
    for _ in range(20):
        cue = playback.cue(script, messages)
        turn = playback.choose(cue, Counter(), "key")
        assert turn is not None
        calls = playback.calls(turn, cue)
        ids += [call["id"] for call in calls]
        messages = [*messages, asked(*ids[-2:]), *(result(each, "ok") for each in ids[-2:])]

    assert len(set(ids)) == 40
    assert all(len(each) == 9 and each.isalnum() and each.isascii() for each in ids)


def test_ids_are_the_same_for_the_same_request_and_given_ids_are_kept():
    script = one(Turn(tool_calls=[ScriptedCall(name="a"), ScriptedCall(name="a"), ScriptedCall(name="a", id="null")]))
    cue = playback.cue(script, [user("x")])

    first, again = (playback.calls(script.conversations[0].turns[0], cue) for _ in range(2))

    assert first == again
    assert len({call["id"] for call in first}) == 3
    assert first[2]["id"] == "null"


def test_same_prompt_later_in_a_session_gets_other_ids():
    script = one(CALL, Turn(content="done"))
    first = playback.calls(CALL, playback.cue(script, [user("x")]))
    ids = [call["id"] for call in first]
    session = [user("x"), asked(*ids), *(result(each, "ok") for each in ids), {"role": "assistant", "content": "done"}]

    later = playback.calls(CALL, playback.cue(script, [*session, user("x")]))

    assert not {call["id"] for call in later} & set(ids)
