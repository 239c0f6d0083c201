import asyncio
import dataclasses
import sys
import threading
from collections.abc import Callable
from contextvars import ContextVar
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel

from gateway.errors import InvalidTool
from gateway.tools.base import CallContext, Failed, InDoubt, Outcome, Ran, ToolDefinition, clock_s
from gateway.tools.python import PythonTool
from gateway.tools.results import MAX_RESULT_BYTES

Call = Callable[..., CallContext]
Run = Callable[..., Outcome]

CALLER: ContextVar[str] = ContextVar("CALLER", default="nobody")


class Point(BaseModel):
    x: int


@dataclasses.dataclass
class Line:
    length: float


@pytest.fixture
def run(call: Call) -> Run:
    def run(execute: Callable[..., Any], arguments_json: str = "{}", *, timeout_s: float = 5.0) -> Outcome:
        definition = ToolDefinition(
            name="t", kind="python", description="d", schema_text='{"type":"object"}', target="t", timeout_s=timeout_s
        )
        return PythonTool(definition, execute).run(call(arguments_json))

    return run


@pytest.mark.parametrize(
    ("value", "result"),
    [
        ("as it is\n", "as it is\n"),
        ({"a": [1, 2.5, None], "é": "ü"}, '{"a":[1,2.5,null],"é":"ü"}'),
        (None, "null"),
        (True, "true"),
        ([], "[]"),
        (Point(x=1), '{"x":1}'),
        ([Line(length=1.5)], '[{"length":1.5}]'),
        ({"day": date(2026, 1, 2), "sum": Decimal("249.00")}, '{"day":"2026-01-02","sum":"249.00"}'),
        ("a\0b\ud800", "a\ufffdb?"),
    ],
)
def test_text_is_kept_and_the_rest_becomes_compact_json(value: Any, result: str, run: Run) -> None:
    assert run(lambda: value) == Ran(result)


@pytest.mark.parametrize("value", [object(), float("nan"), {"a": float("inf")}, b"\xff"])
def test_a_result_without_a_json_form_still_ran(value: Any, run: Run) -> None:
    assert run(lambda: value) == Ran(
        f"The call ran, but its result of type {type(value).__name__} cannot be written as JSON."
    )


def test_a_result_that_holds_itself_still_ran(run: Run) -> None:
    endless: list[Any] = []
    endless.append(endless)
    assert run(lambda: endless) == Ran("The call ran, but its result of type list cannot be written as JSON.")


def test_a_result_beyond_the_limit_still_ran(run: Run) -> None:
    outcome = run(lambda: "é" * (MAX_RESULT_BYTES // 2 + 1))
    assert outcome == Ran("The call ran, but its result is larger than 1024 KiB and was not kept.")


def test_an_async_function_is_awaited(run: Run) -> None:
    async def later(a: int) -> int:
        await asyncio.sleep(0)
        return a + 1

    assert run(later, '{"a": 1}') == Ran("2")


def test_an_exception_is_the_error_without_its_chain(run: Run) -> None:
    def fail() -> None:
        try:
            raise RuntimeError("password=hunter2")
        except RuntimeError as cause:
            raise ValueError("no such order") from cause

    assert run(fail) == Failed("no such order")


def test_an_exception_without_words_is_named(run: Run) -> None:
    def fail() -> None:
        raise LookupError

    assert run(fail) == Failed("LookupError")


def test_a_long_error_is_cut(run: Run) -> None:
    def fail() -> None:
        raise ValueError("x" * 5_000)

    outcome = run(fail)
    assert isinstance(outcome, Failed)
    assert len(outcome.error) == 2_000


def test_a_tool_that_exits_ends_only_its_call(run: Run) -> None:
    assert run(lambda: sys.exit("bye")) == Failed("bye")


@pytest.mark.parametrize(
    ("arguments_json", "reason"),
    [
        ("{}", "missing a required argument: 'a'"),
        ('{"a": 1, "b": 2}', "got an unexpected keyword argument 'b'"),
    ],
)
def test_arguments_that_do_not_fit_are_told_in_a_sentence(arguments_json: str, reason: str, run: Run) -> None:
    called = []
    outcome = run(lambda a: called.append(a), arguments_json)
    assert outcome == Failed(f"The arguments do not fit the tool: {reason}. The call did not run.")
    assert called == []


@pytest.mark.parametrize("text", ["", "[1]", "{", '{"a":1,"a":2}'])
def test_text_that_is_no_strict_object_does_not_run(text: str, run: Run) -> None:
    called = []
    outcome = run(lambda **given: called.append(given), text)
    assert isinstance(outcome, Failed)
    assert outcome.error.endswith("The call did not run.")
    assert called == []


def test_a_type_error_inside_the_tool_is_its_own_error(run: Run) -> None:
    assert run(lambda: 1 + "1") == Failed("unsupported operand type(s) for +: 'int' and 'str'")  # type: ignore[operator]


def test_a_tool_past_its_time_is_in_doubt(run: Run) -> None:
    release = threading.Event()
    outcome = run(lambda: release.wait(30), timeout_s=0.05)
    release.set()
    assert outcome == InDoubt("The tool did not finish within 0.05 s and may still be running.")


def test_a_tools_own_time_out_error_is_an_error(run: Run) -> None:
    def fail() -> None:
        raise TimeoutError("the till did not answer")

    assert run(fail) == Failed("the till did not answer")


def test_a_callable_that_hides_its_parameters_is_refused(run: Run) -> None:
    with pytest.raises(InvalidTool, match="field 'execute'"):
        run(CALLER.get)


def test_a_tool_does_not_see_its_callers_context(run: Run) -> None:
    token = CALLER.set("workflow")
    assert run(lambda: CALLER.get()) == Ran("nobody")
    CALLER.reset(token)


@pytest.mark.parametrize(("left_s", "is_called"), [(-1.0, False), (60.0, True)])
def test_an_overdue_call_does_not_run(left_s: float, is_called: bool, call: Call) -> None:
    called = []
    definition = ToolDefinition(name="t", kind="python", description="d", schema_text='{"type":"object"}', target="t")
    outcome = PythonTool(definition, lambda: called.append(1)).run(call(start_by_s=clock_s() + left_s))
    assert bool(called) == is_called
    if not is_called:
        assert outcome == Failed("the worker was held up before the call was sent; it did not run")
