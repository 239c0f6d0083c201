import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.tools.base import Failed, Outcome, Ran
from gateway.tools.builtin import create_default_registry

Run = Callable[[str, str], Outcome]


@pytest.fixture
def run(call: Any) -> Run:
    registry = create_default_registry()

    def run(name: str, arguments_json: str) -> Outcome:
        tool = registry.get(name)
        assert tool is not None
        return tool.run(call(arguments_json))

    return run


def test_the_default_registry_has_both_tools() -> None:
    calculator, clock = create_default_registry().definitions()
    assert (calculator.name, calculator.approval, calculator.risk) == ("calculator", "ask", "low")
    assert (clock.name, clock.approval, clock.risk) == ("get_current_time", "auto", "low")


@pytest.mark.parametrize(
    ("operation", "a", "b", "result"),
    [
        ("add", "0.1", "0.2", "0.3"),
        ("add", "249.00", "1", "250.00"),
        ("subtract", "1", "0.9", "0.1"),
        ("subtract", "2.50", "2.50", "0"),
        ("multiply", "1.1", "1.1", "1.21"),
        ("multiply", "9007199254740993", "1", "9007199254740993"),
        ("multiply", "-0.0", "5", "0"),
        ("add", "1E5", "0", "100000"),
        ("multiply", "1e200", "1e200", "1E+400"),
        ("divide", "6", "2", "3"),
        ("divide", "1", "8", "0.125"),
        ("divide", "1", "3", "0.3333333333333333333333333333"),
        ("divide", "0", "3", "0"),
    ],
)
def test_calculator_is_exact(operation: str, a: str, b: str, result: str, run: Run) -> None:
    assert run("calculator", f'{{"operation": "{operation}", "a": {a}, "b": {b}}}') == Ran(result)


@pytest.mark.parametrize("a", ["0", "1", "-5.5"])
def test_division_by_zero_is_an_error(a: str, run: Run) -> None:
    assert run("calculator", f'{{"operation": "divide", "a": {a}, "b": 0.0}}') == Failed("Division by zero.")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("1e300", "1"),
        ("1e-300", "1"),
        ("1e-999999999999", "1"),
        ("1e-99999999999999999999999", "1e-2000"),
        ("9" * 51, "0"),
    ],
)
def test_what_needs_too_many_digits_is_an_error_at_once(a: str, b: str, run: Run) -> None:
    started = time.monotonic()
    outcome = run("calculator", f'{{"operation": "add", "a": {a}, "b": {b}}}')
    assert outcome == Failed("The numbers and the result may have 50 digits and exponents up to 999.")
    assert time.monotonic() - started < 1


@pytest.mark.parametrize(
    ("arguments_json", "error"),
    [
        ('{"operation": "add", "a": "0.1", "b": 1}', "a must be a number."),
        ('{"operation": "add", "a": 1, "b": true}', "b must be a number."),
        ('{"operation": "power", "a": 1, "b": 1}', "operation must be add, subtract, multiply or divide."),
        ('{"operation": ["add"], "a": 1, "b": 1}', "operation must be add, subtract, multiply or divide."),
    ],
)
def test_what_is_not_arithmetic_is_an_error(arguments_json: str, error: str, run: Run) -> None:
    assert run("calculator", arguments_json) == Failed(error)


def test_the_time_is_utc_by_default(run: Run) -> None:
    outcome = run("get_current_time", "{}")
    assert isinstance(outcome, Ran)
    told = datetime.fromisoformat(outcome.result)
    assert told.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - told) < timedelta(seconds=10)


def test_the_time_of_a_zone_has_its_offset(run: Run) -> None:
    outcome = run("get_current_time", '{"timezone": "Asia/Kolkata"}')
    assert isinstance(outcome, Ran)
    assert outcome.result.endswith("+05:30")


@pytest.mark.parametrize(
    "zone", ['"Mars/Olympus"', '"../../etc/passwd"', '"America"', '""', "null", "7", '"Europe/Paris\\n"']
)
def test_an_unknown_zone_is_an_error(zone: str, run: Run) -> None:
    assert run("get_current_time", f'{{"timezone": {zone}}}') == Failed(
        "There is no time zone of this name; IANA names look like Europe/Paris."
    )
