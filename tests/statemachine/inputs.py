"""What the actors say: the model's calls, the reviewers' edits."""

import hypothesis.strategies as st

from gateway.domain.approval import Approve, Choice, Reject, Respond
from tests.statemachine.reference.call import Call, Ruling
from tests.statemachine.reference.tool import ModelCall

EVIL = '{"n": 666}'
INVALID_EDIT = '{"n": "no"}'

CALLS = (
    ModelCall("pay", '{"n": 1.50, "to": "a"}', '{"n": 1.50, "to": "a"}'),
    ModelCall("pay", '{"n": 12345678901234567890}', '{"n": 12345678901234567890}'),
    ModelCall("pay", '{"n": "not a number"}', '{"n": "not a number"}'),
    ModelCall("mail", '{"n": 2, "to": "b"}', '{"n": 2, "to": "b"}'),
    ModelCall("mail", {"n": 2.5}, '{"n":2.5}'),
    ModelCall("wire", '{"n": 3}', '{"n": 3}'),
    ModelCall("look", "{}", "{}"),
    ModelCall("ping", '{"n": 4}', '{"n": 4}'),
)
UNFIT_CALLS = (
    ModelCall("pay", '{"n": 1', None, "invalid_json"),
    ModelCall("mail", '{"n": 1, "n": 2}', None, "invalid_json"),
    ModelCall("nope", "{}", None, "unknown_tool"),
)
#: Ids that name no call, or the same one twice: the gateway gives others.
ODD_IDS = ("null", "twice0000")


@st.composite
def model_calls(draw: st.DrawFn, at_least: int = 0) -> list[ModelCall]:
    # Ready-made pieces by number: drawing them field by field takes longer than carrying them out.
    numbers = draw(st.lists(st.integers(0, 31), min_size=at_least, max_size=3))
    return [_model_call(number) for number in numbers]


def _model_call(number: int) -> ModelCall:
    if number < 3 * len(CALLS):
        return CALLS[number % len(CALLS)]
    if number < 3 * len(CALLS) + len(UNFIT_CALLS):
        return UNFIT_CALLS[number - 3 * len(CALLS)]
    chosen = CALLS[number % 4]
    return ModelCall(chosen.tool, chosen.sent, chosen.details, id=ODD_IDS[number % 2])


#: How an approval treats the arguments. ``same`` is other text that means the same call.
EDITS = ("none", "none", "none", "other", "empty", "same", "invalid")


def edit_of(call: Call, kind: str) -> str | None:
    return {
        "none": None,
        "other": '{"to": "somebody else", "n": 9.90}',
        "empty": "{}",
        "same": f" {call.details}\t",
        "invalid": INVALID_EDIT,
    }[kind]


def choice_of(ruling: Ruling) -> Choice:
    match ruling.verdict:
        case "approve":
            return Approve(ruling.edit)
        case "reject":
            return Reject()
        case _:
            return Respond(ruling.response or "")
