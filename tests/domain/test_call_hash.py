"""The hash of a call and ``is_same`` say the same of any two calls."""

import json
import random

from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.arguments import call_sha256, is_same

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "a", "é", "1", "null"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "1", "é"]), inner, max_size=3)
    ),
    max_leaves=6,
)
OBJECTS = st.dictionaries(st.sampled_from(["a", "b", "c"]), VALUES, max_size=3)


def written(value: object, seed: int) -> str:
    """The value as somebody else would write it: other order, white space and escapes, the same literals."""
    chance = random.Random(seed)

    def shuffled(value: object) -> object:
        if isinstance(value, dict):
            keys = list(value)
            chance.shuffle(keys)
            return {key: shuffled(value[key]) for key in keys}
        return [shuffled(item) for item in value] if isinstance(value, list) else value

    return json.dumps(shuffled(value), ensure_ascii=chance.random() < 0.5, indent=chance.choice([None, 1]))


@given(OBJECTS, OBJECTS, st.integers())
def test_hashes_are_equal_exactly_when_the_calls_are_the_same(one, other, seed):
    a, b, c = json.dumps(one), json.dumps(other), written(one, seed)

    assert call_sha256("send", a) == call_sha256("send", c)
    assert (call_sha256("send", a) == call_sha256("send", b)) == is_same(a, b)
    assert call_sha256("send", a) != call_sha256("write", a)


def test_numbers_count_as_they_are_written():
    literals = ["249", "249.0", "249.00", "2.49e2", "2.49E2", "-0", "0"]

    assert len({call_sha256("send", f'{{"n": {literal}}}') for literal in literals}) == len(literals)
