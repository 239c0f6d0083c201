import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import httpx2
import pytest

from gateway.tools.base import CallContext, Failed, InDoubt, Outcome, Ran, ToolDefinition, clock_s
from gateway.tools.http import HttpTool, new_client
from gateway.tools.results import MAX_RESULT_BYTES

Call = Callable[..., CallContext]


class Run(Protocol):
    """Calls a tool at ``url`` once and gives the outcome."""

    def __call__(self, url: str, context: CallContext, **changes: Any) -> Outcome: ...


@pytest.fixture
def make_tool() -> Iterator[Callable[..., HttpTool]]:
    clients: list[httpx2.Client] = []

    def client() -> httpx2.Client:
        if not clients:
            clients.append(new_client())
        return clients[0]

    def make(
        url: str, *, method: str = "POST", payload: Any = "envelope", headers: Any = None, **gate: Any
    ) -> HttpTool:
        gate = {"timeout_s": 5.0} | gate
        definition = ToolDefinition(
            name="refund",
            kind="http",
            description="Refund an order",
            schema_text='{"type":"object","properties":{}}',
            target=f"{method} {url}",
            **gate,
        )
        return HttpTool(definition, method=method, url=url, payload=payload, headers=headers or {}, client=client)

    yield make
    for opened in clients:
        opened.close()


@pytest.fixture
def run(make_tool: Callable[..., HttpTool]) -> Run:
    def run(url: str, context: CallContext, **changes: Any) -> Outcome:
        return make_tool(url, **changes).run(context)

    return run


class TestRequest:
    def test_envelope_holds_the_approved_text_byte_for_byte(self, server: Any, run: Run, call: Call) -> None:
        server.answer(200)
        text = '{ "amount" :249.00,\n\t"big": 1E5, "n":123456789012345678901234567890, "né":"\\u00e9é" }'
        run(server.url, call(text))
        assert (
            server.received[0].body
            == (
                '{"name":"refund","arguments":'
                + text
                + ',"approval_id":"apr_1","job_id":"job_1","idempotency_key":"apr_1"}'
            ).encode()
        )
        assert json.loads(server.received[0].body)["arguments"]["big"] == 1e5

    def test_a_call_without_a_job_has_null_in_its_place(self, server: Any, run: Run, call: Call) -> None:
        server.answer(200)
        run(server.url, call(job_id=None))
        assert json.loads(server.received[0].body)["job_id"] is None

    def test_payload_arguments_sends_the_approved_text_alone(self, server: Any, run: Run, call: Call) -> None:
        server.answer(200)
        run(server.url, call('{ "amount": 249.00 }'), payload="arguments", method="PUT")
        assert server.received[0].body == b'{ "amount": 249.00 }'
        assert server.received[0].method == "PUT"

    def test_text_that_is_no_json_object_is_not_sent(self, server: Any, run: Run, call: Call) -> None:
        outcome = run(server.url, call('{}, "approval_id": "apr_2"'))
        assert isinstance(outcome, Failed)
        assert server.received == []

    def test_key_and_type_are_sent_as_headers(self, server: Any, run: Run, call: Call) -> None:
        server.answer(200)
        run(server.url, call())
        sent = server.received[0].headers
        assert sent["Idempotency-Key"] == "apr_1"
        assert sent["Content-Type"] == "application/json"

    def test_header_values_come_from_environment_and_file_at_call_time(
        self, server: Any, run: Run, call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        server.answer(200)
        (tmp_path / "key").write_text("from-file\n")
        monkeypatch.setenv("SHOP_TOKEN", "Bearer from-env")
        run(server.url, call(), headers={"Authorization": "env:SHOP_TOKEN", "X-Key": f"file:{tmp_path / 'key'}"})
        sent = server.received[0].headers
        assert (sent["Authorization"], sent["X-Key"]) == ("Bearer from-env", "from-file")

    def test_a_missing_header_value_stops_the_call(self, server: Any, run: Run, call: Call) -> None:
        outcome = run(server.url, call(), headers={"Authorization": "env:COUNTERSIGN_TEST_ABSENT"})
        assert outcome == Failed(
            "The header Authorization needs the environment variable COUNTERSIGN_TEST_ABSENT, which is not set. "
            "The call did not run."
        )
        assert server.received == []

    def test_a_header_value_that_breaks_the_line_stops_the_call(
        self, server: Any, run: Run, call: Call, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SHOP_TOKEN", "top-secret\r\nX-Other: 1")
        outcome = run(server.url, call(), headers={"Authorization": "env:SHOP_TOKEN"})
        assert outcome == Failed(
            "The header Authorization has no usable value in env:SHOP_TOKEN. The call did not run."
        )
        assert server.received == []

    def test_the_secret_stays_out_of_errors_repr_and_logs(
        self,
        server: Any,
        make_tool: Callable[..., HttpTool],
        call: Call,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        monkeypatch.setenv("SHOP_TOKEN", "top-secret")
        server.answer(403, b"no right for top-secret")
        tool = make_tool(server.url, headers={"Authorization": "env:SHOP_TOKEN"})
        with caplog.at_level(logging.DEBUG):
            outcome = tool.run(call())
        assert outcome == Failed("HTTP 403: no right for ••••")
        assert "top-secret" not in repr(tool) + repr(tool.definition) + caplog.text

    @pytest.mark.parametrize(
        ("body", "media_type", "result"),
        [
            (b'you sent Bearer top-"secret"', "text/plain", "you sent ••••"),
            (b'{"sent": "Bearer top-\\"secret\\"", "n": 1.0}', "application/json", '{"sent":"••••","n":1.0}'),
            (b'{"sent": "Bearer top-\\"secret\\"", "n": NaN}', "application/json", '{"sent": "••••", "n": NaN}'),
        ],
    )
    def test_the_secret_stays_out_of_results(
        self, body: bytes, media_type: str, result: str, server: Any, run: Run, call: Call,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        monkeypatch.setenv("SHOP_TOKEN", 'Bearer top-"secret"')
        server.answer(200, body, Content_Type=media_type)
        assert run(server.url, call(), headers={"Authorization": "env:SHOP_TOKEN"}) == Ran(result)

    def test_a_short_header_value_is_no_secret(
        self, server: Any, run: Run, call: Call, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SHOP_VERSION", "2")
        server.answer_json(b'{"refunded":220}')
        assert run(server.url, call(), headers={"X-Version": "env:SHOP_VERSION"}) == Ran('{"refunded":220}')

    def test_cookies_of_one_call_are_not_sent_with_the_next(self, server: Any, run: Run, call: Call) -> None:
        server.answer(200, Set_Cookie="session=1; Path=/")
        run(server.url, call())
        run(server.url, call())
        assert "Cookie" not in server.received[1].headers

    def test_proxy_settings_of_the_environment_are_ignored(
        self, server: Any, refused_url: str, run: Run, call: Call, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTP_PROXY", refused_url)
        server.answer(200, b"done")
        assert run(server.url, call()) == Ran("done")


class TestRan:
    def test_text_is_the_result_as_it_is(self, server: Any, run: Run, call: Call) -> None:
        server.answer(201, "refunded: 249.00 €\n".encode(), Content_Type="text/plain; charset=utf-8")
        assert run(server.url, call()) == Ran("refunded: 249.00 €\n")

    def test_json_is_compacted_with_its_numbers_as_written(self, server: Any, run: Run, call: Call) -> None:
        server.answer_json(b'{ "amount": 249.00,\n "limit": 1E5, "id": 12345678901234567890123, "ok": true }')
        assert run(server.url, call()) == Ran('{"amount":249.00,"limit":1E5,"id":12345678901234567890123,"ok":true}')

    def test_json_that_is_not_strict_stays_as_it_is(self, server: Any, run: Run, call: Call) -> None:
        server.answer_json(b'{ "a": NaN }')
        assert run(server.url, call()) == Ran('{ "a": NaN }')

    def test_an_empty_answer_is_an_empty_result(self, server: Any, run: Run, call: Call) -> None:
        server.answer(204)
        assert run(server.url, call()) == Ran("")

    def test_a_result_beyond_the_limit_is_told_and_not_kept(self, server: Any, run: Run, call: Call) -> None:
        server.answer(200, b"x" * (MAX_RESULT_BYTES + 1))
        assert run(server.url, call()) == Ran("The call ran, but its result is larger than 1024 KiB and was not kept.")

    def test_a_result_of_exactly_the_limit_is_kept(self, server: Any, run: Run, call: Call) -> None:
        server.answer(200, b"x" * MAX_RESULT_BYTES)
        assert run(server.url, call()) == Ran("x" * MAX_RESULT_BYTES)

    def test_bytes_that_are_no_text_are_told_and_not_kept(self, server: Any, run: Run, call: Call) -> None:
        server.answer(200, b"\x89PNG\xff", Content_Type="image/png")
        assert run(server.url, call()) == Ran(
            "The call ran. Its result, 5 bytes of image/png, is not text and was not kept."
        )

    @pytest.mark.parametrize("charset", ["undefined", "klingon", "hex"])
    def test_a_charset_that_nobody_knows_is_read_as_utf_8(
        self, charset: str, server: Any, run: Run, call: Call
    ) -> None:
        server.answer(200, "249 €".encode() + b"\xff", Content_Type=f"text/plain; charset={charset}")
        assert run(server.url, call()) == Ran("249 €\ufffd")

    def test_nul_is_replaced_because_postgresql_refuses_it(self, server: Any, run: Run, call: Call) -> None:
        server.answer(200, b"a\0b")
        assert run(server.url, call()) == Ran("a\ufffdb")


class TestFailed:
    def test_a_refused_connection_did_not_run(self, refused_url: str, run: Run, call: Call) -> None:
        outcome = run(refused_url, call())
        assert isinstance(outcome, Failed)
        assert "could not be reached" in outcome.error
        assert "did not run" in outcome.error

    def test_a_host_that_does_not_exist_did_not_run(self, run: Run, call: Call) -> None:
        outcome = run("http://nowhere.invalid/", call())
        assert isinstance(outcome, Failed)
        assert "could not be reached" in outcome.error

    def test_a_failed_tls_handshake_did_not_run(self, server: Any, run: Run, call: Call) -> None:
        outcome = run(server.url.replace("http://", "https://"), call())
        assert isinstance(outcome, Failed)
        assert "could not be reached" in outcome.error
        assert server.received == []

    @pytest.mark.parametrize("status", [400, 404, 409, 422, 429])
    def test_4xx_is_an_error_with_the_servers_words(self, status: int, server: Any, run: Run, call: Call) -> None:
        server.answer(status, b" no such order \n")
        assert run(server.url, call()) == Failed(f"HTTP {status}: no such order")

    @pytest.mark.parametrize("status", [500, 501, 503])
    def test_most_5xx_are_errors(self, status: int, server: Any, run: Run, call: Call) -> None:
        server.answer(status)
        assert run(server.url, call()) == Failed(f"HTTP {status}")

    def test_an_error_is_cut_to_2000_characters(self, server: Any, run: Run, call: Call) -> None:
        server.answer(400, b"x" * 100_000)
        outcome = run(server.url, call())
        assert isinstance(outcome, Failed)
        assert len(outcome.error) == 2_000
        assert outcome.error.endswith("x…")

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_a_redirect_is_not_followed(self, status: int, server: Any, run: Run, call: Call) -> None:
        server.answer(status, Location=server.url + "/elsewhere")
        outcome = run(server.url, call())
        assert outcome == Failed(f"HTTP {status}: the tool's server points to another address, which is not followed.")
        assert len(server.received) == 1


class TestInDoubt:
    def test_no_answer_in_time(self, server: Any, run: Run, call: Call) -> None:
        server.hang()
        outcome = run(server.url, call(), timeout_s=0.2)
        assert outcome == InDoubt("The request was sent, but no whole answer came (ReadTimeout).")

    def test_an_answer_that_never_ends_is_limited_in_all(self, server: Any, run: Run, call: Call) -> None:
        server.drip()
        outcome = run(server.url, call(), timeout_s=0.3)
        assert outcome == InDoubt("The tool did not finish within 0.6 s and may still be running.")

    def test_a_reset_after_sending(self, server: Any, run: Run, call: Call) -> None:
        server.break_off()
        assert isinstance(run(server.url, call()), InDoubt)
        assert len(server.received) == 1

    def test_an_answer_that_is_no_http(self, server: Any, run: Run, call: Call) -> None:
        server.break_off(b"hello\r\n\r\n")
        assert isinstance(run(server.url, call()), InDoubt)

    def test_a_success_that_breaks_off_in_its_body(self, server: Any, run: Run, call: Call) -> None:
        server.break_off(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart")
        assert isinstance(run(server.url, call()), InDoubt)

    @pytest.mark.parametrize("status", [502, 504])
    def test_a_gateway_that_does_not_know(self, status: int, server: Any, run: Run, call: Call) -> None:
        server.answer(status, b"upstream")
        assert run(server.url, call()) == InDoubt(f"The tool's server answered HTTP {status}: the call may have run.")


class TestIdempotentTool:
    def test_a_call_in_doubt_is_repeated_with_the_same_bytes_and_key(self, server: Any, run: Run, call: Call) -> None:
        server.break_off()
        server.answer(200, b"done")
        assert run(server.url, call('{"a": 1.0}'), idempotent=True) == Ran("done")
        first, second = server.received
        assert first.body == second.body
        assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"] == "apr_1"

    def test_after_two_repeats_it_stays_in_doubt(self, server: Any, run: Run, call: Call) -> None:
        server.answer(502)
        outcome = run(server.url, call(), idempotent=True)
        assert isinstance(outcome, InDoubt)
        assert len(server.received) == 3

    def test_a_refused_repeat_does_not_settle_the_first_attempt(self, server: Any, run: Run, call: Call) -> None:
        server.break_off()
        server.answer(404)
        assert isinstance(run(server.url, call(), idempotent=True), InDoubt)

    def test_an_error_at_once_is_not_repeated(self, server: Any, run: Run, call: Call) -> None:
        server.answer(500)
        assert run(server.url, call(), idempotent=True) == Failed("HTTP 500")
        assert len(server.received) == 1

    def test_other_tools_are_never_repeated(self, server: Any, run: Run, call: Call) -> None:
        server.answer(502)
        run(server.url, call())
        assert len(server.received) == 1


class TestHeldUpWorker:
    def test_an_overdue_call_is_not_sent(self, server: Any, run: Run, call: Call) -> None:
        server.answer(200)
        outcome = run(server.url, call(start_by_s=clock_s() - 1))
        assert outcome == Failed("the worker was held up before the call was sent; it did not run")
        assert server.received == []

    def test_a_call_in_time_is_sent(self, server: Any, run: Run, call: Call) -> None:
        server.answer(200, b"done")
        assert run(server.url, call(start_by_s=clock_s() + 60)) == Ran("done")

    def test_an_overdue_repeat_is_not_sent_and_the_first_attempt_stays_in_doubt(
        self, server: Any, run: Run, call: Call
    ) -> None:
        server.break_off()
        outcome = run(server.url, call(start_by_s=clock_s() + 0.2), idempotent=True)  # repeats begin after 0.25 s
        assert isinstance(outcome, InDoubt)
        assert len(server.received) == 1
