"""An untouched form posts back the very arguments it was made of, whatever they are and whatever their schema is."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.json_rewrite import rewrite
from gateway.domain.json_text import LIMITS, parse_literal
from reviewer_ui.editing.control_name import name_of, path_of
from reviewer_ui.editing.editor import Typed, edit, edited_text
from tests.domain.test_argument_fidelity import keys, trees, write, write_object, writers
from tests.ui.hostile import PAYLOADS

BFCL = Path(__file__).parents[2].parent / "shared" / "data" / "bfcl_sample.jsonl"


def form_of(details, schema_text="{}", **options):
    return edit(Typed(), details, schema_text, (), LIMITS, **options)


@pytest.mark.parametrize(
    ("enum", "words"),
    [
        (["EUR", "USD"], ["EUR", "USD"]),
        (["1", 1], ['"1"', "1"]),
        (["", "a"], ['""', '"a"']),
        ([" a", "a"], ['" a"', '"a"']),
    ],
)
def test_choices_are_plain_words_where_that_is_clear(enum, words):
    schema = {"type": "object", "properties": {"a": {"enum": enum}}}
    [field] = form_of(json.dumps({"a": enum[0]}), json.dumps(schema)).form.fields
    assert [choice.word for choice in field.choices] == words


def sent(field):
    """What a browser sends of this field and those in it: text areas with LF, as the server reads them."""
    yield f"{field.name}:set", field.kind
    if field.kind in {"object", "array"}:
        yield f"{field.name}:n", str(len(field.fields))
    elif field.kind == "choice":
        yield field.name, next(choice.value for choice in field.choices if choice.is_chosen)
    elif field.kind != "boolean" or field.text == "true":
        yield field.name, field.text.replace("\r\n", "\n").replace("\r", "\n")
    for child in field.fields:
        yield from sent(child)


def comes_back(details, schema_text="{}"):
    """True when the untouched form and the untouched JSON are both no edit."""
    made = form_of(details, schema_text)
    fields = dict(sent(made.form)) if made.form else {}
    as_json = Typed(json_text=made.json_text.replace("\r\n", "\n").replace("\r", "\n"))
    edits = [edited_text(typed, details, (), LIMITS) for typed in (Typed(fields=fields), as_json)]
    return edits == [None, None]


@pytest.mark.skipif(not BFCL.is_file(), reason="the real tool calls are not here: ../shared/data beside the project")
def test_every_real_schema_opens_and_its_untouched_form_is_no_edit():
    cases = [json.loads(line) for line in BFCL.read_text().splitlines()]
    with_form = 0
    for number, case in enumerate(cases):
        details = json.dumps(case["arguments"], ensure_ascii=number % 2 == 0, indent=number % 3 or None)
        schema_text = json.dumps(case["tool"]["function"]["parameters"])
        assert comes_back(details, schema_text), case["id"]
        with_form += form_of(details, schema_text).form is not None
    assert with_form == len(cases) == 400


@given(st.dictionaries(keys, trees, max_size=4), writers)
@settings(max_examples=300, deadline=None)
def test_untouched_form_of_any_arguments_is_no_edit(tree, writer):
    assert comes_back(write_object({name: write(value, writer) for name, value in tree.items()}, writer))


scalar_schemas = st.sampled_from(
    [
        {}, True, {"type": "string"}, {"type": "integer"}, {"type": "number"}, {"type": "boolean"}, {"type": "null"},
        {"type": ["string", "null"]}, {"anyOf": [{"type": "number"}, {"type": "null"}]}, {"enum": [1, "a", None, 1.0]},
        {"const": 5}, {"type": "string", "readOnly": True}, {"oneOf": [{"type": "string"}]}, {"$ref": "#/nowhere"},
        {"$ref": "#"}, {"type": "float"}, {"type": 5}, {"enum": "x"}, {"type": "array"}, {"type": "object"},
        {"description": 5, "format": []}, {"items": [{}]}, {"properties": []}, {"required": 1},
    ]
)  # fmt: skip
schemas = st.recursive(
    scalar_schemas,
    lambda inner: st.fixed_dictionaries(
        {"type": st.sampled_from(["object", "array", ["object", "null"]])},
        optional={
            "properties": st.dictionaries(keys, inner, max_size=3),
            "items": inner,
            "additionalProperties": st.one_of(st.booleans(), inner),
            "required": st.lists(keys, max_size=2),
        },
    ),
    max_leaves=8,
)


@given(st.dictionaries(keys, trees, max_size=3), schemas, writers)
@settings(max_examples=300, deadline=None)
def test_untouched_form_under_any_schema_is_no_edit(tree, schema, writer):
    details = write_object({name: write(value, writer) for name, value in tree.items()}, writer)

    assert comes_back(details, json.dumps(schema))


@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
def test_hostile_text_comes_back_as_it_was(payload):
    schema = json.dumps({"properties": {payload: {"enum": [payload], "description": payload, "format": payload}}})
    for value in ({payload: payload}, {"a": [payload, {payload: payload}]}, {"code": payload}, {"a": {payload: [1]}}):
        for is_ascii in (True, False):
            assert comes_back(json.dumps(value, ensure_ascii=is_ascii), schema)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=4))
def test_control_names_lead_back_to_their_place_in_plain_characters(path):
    name = name_of(tuple(path))

    assert path_of(name) == tuple(path)
    assert name.isascii()
    assert ":" not in name
    assert not path or name.isprintable()


@given(st.dictionaries(keys, trees, max_size=4), st.dictionaries(keys, trees, max_size=4), writers)
@settings(max_examples=300, deadline=None)
def test_rewritten_text_means_the_new_value_and_is_the_old_text_where_nothing_changed(old, new, writer):
    text = write_object({name: write(value, writer) for name, value in old.items()}, writer)
    value = parse_literal(write_object({name: write(item, writer) for name, item in (old | new).items()}, writer))

    assert parse_literal(rewrite(text, value)) == value
    assert rewrite(text, parse_literal(text)) == text
