"""Sending one message: to whom, how it is signed, and what its ending says."""

import asyncio
import base64
import json
import random
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_address

import pytest
import trustme
from standardwebhooks import Webhook, WebhookVerificationError

from gateway.domain.callback_url import Allowed, IPAddress, read_allowed
from gateway.domain.delivery import Outcome
from gateway.errors import InvalidSetting
from gateway.notifications import webhook
from gateway.notifications.signing import read_secrets, standard_headers
from gateway.notifications.webhook import Resolve, Webhooks
from gateway.usecases.deliveries import Message
from tests.domain.callback_urls import HOSTS, MALFORMED, NOT_PUBLIC_V4, NOT_PUBLIC_V6
from tests.notifications.receiver import Received, Receiver, Reply, receiving
from tests.runner.wire import closed_port

SECRET = "whsec_" + base64.b64encode(b"0" * 32).decode()
NEXT_SECRET = "whsec_" + base64.b64encode(b"1" * 32).decode()
LOOPBACK = read_allowed("127.0.0.0/8")
BODY = '{"type":"job.succeeded","timestamp":"2026-03-01T12:00:00Z","data":{"id":"job_1","amount":249.00,"ü":"😀"}}'


def message(url: str, body: str = BODY) -> Message:
    return Message("dlv_1", 1, "job.succeeded", url, body, "standard", "app:shop")


def send(
    *messages: Message,
    allowed: Allowed = LOOPBACK,
    secrets: Sequence[str] = (SECRET,),
    resolve: Resolve | None = None,
    tls: ssl.SSLContext | None = None,
) -> list[Outcome]:
    """How the attempts ended, which were made one after the other."""

    async def all_of_them() -> list[Outcome]:
        headers = {"standard": standard_headers(secrets)}
        webhooks = Webhooks(allowed, headers, resolve=resolve or webhook.resolve, tls=tls)
        try:
            return [await webhooks.send(each) for each in messages]
        finally:
            await webhooks.close()

    return asyncio.run(all_of_them())


def resolving(*answers: Sequence[str], asked: list[tuple[str, int]] | None = None) -> Resolve:
    """A resolver that gives these answers one after the other, the last one again and again."""
    left = list(answers)

    async def resolve(host: str, port: int) -> Sequence[IPAddress]:
        if asked is not None:
            asked.append((host, port))
        return [ip_address(text) for text in (left.pop(0) if len(left) > 1 else left[0])]

    return resolve


@pytest.fixture
def canary() -> Iterator[Receiver]:
    """Nothing may ever come here."""
    with receiving() as receiver:
        yield receiver
        assert receiver.received == []


class TestSending:
    def test_body_arrives_byte_for_byte_with_its_headers(self) -> None:
        with receiving() as receiver:
            [outcome] = send(message(receiver.url + "/ä?b=%2f"))
        [got] = receiver.received
        assert outcome == Outcome(is_delivered=True, status=200)
        assert (got.path, got.body) == ("/hook/%C3%A4?b=%2f", BODY)
        assert got.headers["host"] == f"127.0.0.1:{receiver.port}"
        assert got.headers["content-type"] == "application/json; charset=utf-8"
        assert got.headers["user-agent"] == "countersign"
        assert got.headers["webhook-id"] == "dlv_1"

    @pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
    def test_any_2xx_has_taken_it(self, status: int) -> None:
        with receiving(Reply(status)) as receiver:
            assert send(message(receiver.url)) == [Outcome(is_delivered=True, status=status)]

    def test_2xx_counts_whatever_follows_it(self) -> None:
        with receiving(Reply(body=b"x" * 1000, drips_s=0.5)) as receiver:
            began_s = time.monotonic()
            [outcome] = send(message(receiver.url))
        assert outcome.is_delivered
        assert time.monotonic() - began_s < 5

    @pytest.mark.parametrize("status", [400, 401, 404, 409, 418, 422, 429, 500, 502, 503, 599])
    def test_any_other_status_has_not(self, status: int) -> None:
        with receiving(Reply(status, body=b'{"error":\r\n "no"}')) as receiver:
            [outcome] = send(message(receiver.url))
        assert outcome == Outcome(
            is_delivered=False, status=status, error=f'The receiver answered {status}: {{"error": "no"}}'
        )

    def test_410_is_for_good(self) -> None:
        with receiving(Reply(410)) as receiver:
            [outcome] = send(message(receiver.url))
        assert (outcome.status, outcome.is_permanent, outcome.is_delivered) == (410, True, False)

    @pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
    @pytest.mark.parametrize(
        "place", ["http://127.0.0.1:{port}/", "//127.0.0.1:{port}/", "http://169.254.169.254/", "/x"]
    )
    def test_redirect_is_a_failure_and_not_followed(self, canary: Receiver, status: int, place: str) -> None:
        location = place.format(port=canary.port)
        with receiving(Reply(status, (("Location", location),))) as receiver:
            [outcome] = send(message(receiver.url))
        assert len(receiver.received) == 1
        assert (outcome.is_delivered, outcome.is_permanent, outcome.status) == (False, False, status)
        assert "not followed" in (outcome.error or "")

    @pytest.mark.parametrize("status", [429, 503])
    def test_receiver_may_ask_for_a_pause(self, status: int) -> None:
        at = format_datetime(datetime.now(UTC) + timedelta(seconds=120), usegmt=True)
        with receiving(Reply(status, (("Retry-After", "90"),)), Reply(status, (("Retry-After", at),))) as receiver:
            seconds, date = send(message(receiver.url), message(receiver.url))
        assert seconds.retry_after_s == 90
        assert date.retry_after_s == pytest.approx(120, abs=5)

    @pytest.mark.parametrize(
        "text", ["", "soon", "-1", "1e9", "1" * 400, "٣", "Mon, 99 Foo 2026 00:00:00 GMT", "Sun, 01 Mar 2026 12:00:00"]
    )
    def test_pause_that_is_none_is_not_taken(self, text: str) -> None:
        with receiving(Reply(503, (("Retry-After", text.encode().decode("latin-1")),))) as receiver:
            [outcome] = send(message(receiver.url))
        assert outcome.retry_after_s in (None, 0.0)

    def test_pause_counts_with_these_two_answers_alone(self) -> None:
        with receiving(Reply(500, (("Retry-After", "90"),))) as receiver:
            [outcome] = send(message(receiver.url))
        assert outcome.retry_after_s is None

    def test_answer_is_quoted_in_one_short_line(self) -> None:
        with receiving(Reply(500, body=b"\x00\x1b[31m\xff a\r\n\tb\xe2\x80\xa8c " + b"x" * 10_000)) as receiver:
            [outcome] = send(message(receiver.url))
        error = outcome.error or ""
        assert error.startswith("The receiver answered 500: ")
        assert error.isprintable()
        assert len(error) <= 240

    def test_huge_answer_is_read_in_part(self) -> None:
        with receiving(Reply(500, body=b"x" * 50_000_000)) as receiver:
            began_s = time.monotonic()
            [outcome] = send(message(receiver.url))
        assert outcome.status == 500
        assert time.monotonic() - began_s < 5

    def test_slow_receiver_is_given_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(webhook, "TOTAL_TIMEOUT_S", 0.4)
        with receiving(Reply(delay_s=30.0), Reply(500, body=b"x" * 1000, drips_s=0.1)) as receiver:
            began_s = time.monotonic()
            silent, dripping = send(message(receiver.url), message(receiver.url))
        assert silent.error == dripping.error == "No whole answer came within 0.4 s."
        assert time.monotonic() - began_s < 3

    @pytest.mark.parametrize("reply", [Reply(is_reset=True), Reply(500, (("Content-Length", "99999"),), b"x")])
    def test_connection_that_breaks_is_a_failure(self, reply: Reply) -> None:
        with receiving(reply) as receiver:
            [outcome] = send(message(receiver.url))
        assert not outcome.is_delivered
        assert not outcome.is_permanent

    @pytest.mark.parametrize(
        "raw", [b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 999999 x\r\n\r\n", b"HTTP/9 200 OK\r\n\r\n", b"\x00" * 100]
    )
    def test_what_is_no_http_is_a_failure(self, raw: bytes) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:

            async def talk() -> Outcome:
                loop = asyncio.get_running_loop()
                listener.setblocking(False)

                async def answer() -> None:
                    connection, _ = await loop.sock_accept(listener)
                    await loop.sock_recv(connection, 65536)
                    await loop.sock_sendall(connection, raw)
                    connection.close()

                answering = asyncio.create_task(answer())
                webhooks = Webhooks(LOOPBACK, {"standard": standard_headers([SECRET])})
                outcome = await webhooks.send(message(f"http://127.0.0.1:{listener.getsockname()[1]}/"))
                await answering
                await webhooks.close()
                return outcome

            outcome = asyncio.run(talk())
        assert not outcome.is_delivered
        assert SECRET not in (outcome.error or "")

    def test_nobody_there_is_a_failure_in_a_sentence(self) -> None:
        [outcome] = send(message(closed_port()))
        assert not outcome.is_permanent
        assert (outcome.error or "").startswith("No connection")

    def test_no_setting_of_the_environment_counts(self, canary: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{canary.port}")
        with receiving() as receiver:
            [outcome] = send(message(receiver.url))
        assert outcome.is_delivered

    def test_cookie_of_a_receiver_is_not_sent_back(self) -> None:
        with receiving(Reply(headers=(("Set-Cookie", "a=b; Path=/"),))) as receiver:
            send(message(receiver.url), message(receiver.url))
        assert all("cookie" not in got.headers for got in receiver.received)


class TestAddresses:
    """The canary stands at a loopback address; nothing is allowed besides public ones."""

    def test_no_way_of_writing_an_address_leads_inside(self, canary: Receiver) -> None:
        urls = [f"{scheme}://{host}:{canary.port}/" for host in HOSTS for scheme in ("https", "http")]
        urls += [url.replace("127.0.0.1", f"127.0.0.1:{canary.port}") for url in MALFORMED]
        asked: list[tuple[str, int]] = []

        outcomes = send(*map(message, urls), allowed=Allowed(), resolve=resolving(["127.0.0.1"], asked=asked))

        assert len(urls) >= 150
        assert [url for url, outcome in zip(urls, outcomes, strict=True) if outcome.is_delivered] == []
        assert asked == [], "refused before a name is looked up"

    @pytest.mark.parametrize("address", [*NOT_PUBLIC_V4, *NOT_PUBLIC_V6])
    def test_name_that_leads_inside_is_not_connected_to(self, canary: Receiver, address: str) -> None:
        url = f"https://hooks.example.com:{canary.port}/"
        [outcome] = send(message(url), allowed=Allowed(), resolve=resolving([address]))
        assert not outcome.is_delivered
        assert "leads to an address that is not public" in (outcome.error or "")

    @pytest.mark.parametrize(
        "addresses", [["127.0.0.1", "93.184.215.14"], ["93.184.215.14", "127.0.0.1"], ["2606:4700::1111", "::1"]]
    )
    def test_one_bad_address_among_several_refuses_all(self, canary: Receiver, addresses: list[str]) -> None:
        url = f"https://hooks.example.com:{canary.port}/"
        [outcome] = send(message(url), allowed=Allowed(), resolve=resolving(addresses))
        assert "leads to an address that is not public" in (outcome.error or "")

    def test_name_is_resolved_once_for_the_check_and_the_connection(self, canary: Receiver) -> None:
        """A resolver that gives another answer to the second question has no second question."""
        asked: list[tuple[str, int]] = []
        with receiving() as receiver:
            url = f"http://hooks.example.com:{receiver.port}/hook"
            rebinding = resolving(["127.0.0.2"], ["127.0.0.1"], asked=asked)
            [outcome] = send(message(url), allowed=read_allowed("hooks.example.com"), resolve=rebinding)
        assert asked == [("hooks.example.com", receiver.port)]
        assert receiver.received == [], "it listens at 127.0.0.1, and the answer was 127.0.0.2"
        assert (outcome.error or "").startswith("No connection")

    def test_each_attempt_resolves_and_judges_anew(self, canary: Receiver) -> None:
        url = f"https://hooks.example.com:{canary.port}/"
        rebinding = resolving(["127.0.0.2"], ["127.0.0.1"])
        first, second = send(message(url), message(url), allowed=read_allowed("127.0.0.2"), resolve=rebinding)
        assert (first.error or "").startswith("No connection")
        assert "leads to an address that is not public" in (second.error or "")

    def test_host_that_is_allowed_by_name_may_be_inside(self) -> None:
        with receiving() as receiver:
            url = f"http://Hooks.Internal:{receiver.port}/hook"
            [outcome] = send(message(url), allowed=read_allowed("hooks.internal"), resolve=resolving(["127.0.0.1"]))
        assert outcome.is_delivered
        assert receiver.received[0].headers["host"] == f"hooks.internal:{receiver.port}"

    def test_next_address_of_a_name_is_tried_when_the_first_takes_no_connection(self) -> None:
        with receiving() as receiver:
            url = f"http://hooks.internal:{receiver.port}/hook"
            resolve = resolving(["127.0.0.2", "127.0.0.3", "127.0.0.1"])
            [outcome] = send(message(url), allowed=read_allowed("hooks.internal"), resolve=resolve)
        assert outcome.is_delivered

    def test_answer_of_one_address_is_the_answer(self) -> None:
        with receiving(Reply(500)) as receiver:
            url = f"http://hooks.internal:{receiver.port}/hook"
            resolve = resolving(["127.0.0.1", "127.0.0.1"])
            [outcome] = send(message(url), allowed=read_allowed("hooks.internal"), resolve=resolve)
        assert (outcome.status, len(receiver.received)) == (500, 1)

    @pytest.mark.parametrize("host", ["[::1]", "[0:0::1]", "[::ffff:127.0.0.1]", "hooks.internal"])
    def test_address_of_version_6_is_connected_to(self, host: str) -> None:
        port = closed_port().rpartition(":")[2]
        allowed = read_allowed("::1, 127.0.0.1, hooks.internal")
        [outcome] = send(message(f"http://{host}:{port}/x"), allowed=allowed, resolve=resolving(["::1"]))
        assert (outcome.error or "").startswith("No connection")

    def test_name_without_an_address_is_a_failure(self) -> None:
        [outcome] = send(message("https://hooks.example.com/"), resolve=resolving([]))
        assert outcome.error == "The name of the host has no address."

    def test_name_that_nobody_knows_is_a_failure(self) -> None:
        [outcome] = send(message("https://no-such-host.example.com/"), resolve=_unknown)
        assert outcome.error == "The name of the host could not be resolved (Name or service not known)."


class TestTls:
    """The connection goes to a number; name and certificate are those of the address."""

    @pytest.fixture
    def authority(self) -> trustme.CA:
        return trustme.CA()

    @pytest.fixture
    def server_tls(self, authority: trustme.CA) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("hooks.internal").configure_cert(context)
        return context

    @pytest.fixture
    def trusting(self, authority: trustme.CA) -> ssl.SSLContext:
        context = ssl.create_default_context()
        authority.configure_trust(context)
        return context

    def test_name_is_asked_for_and_its_certificate_taken(
        self, server_tls: ssl.SSLContext, trusting: ssl.SSLContext
    ) -> None:
        asked: list[str | None] = []
        server_tls.sni_callback = lambda _socket, name, _context: asked.append(name)
        with receiving(tls=server_tls) as receiver:
            [outcome] = send(
                message(f"https://hooks.internal:{receiver.port}/hook"), allowed=read_allowed("hooks.internal"),
                resolve=resolving(["127.0.0.1"]), tls=trusting,
            )  # fmt: skip
        assert outcome == Outcome(is_delivered=True, status=200)
        assert asked == ["hooks.internal"]
        assert receiver.received[0].headers["host"] == f"hooks.internal:{receiver.port}"

    @pytest.mark.parametrize("host", ["other.internal", "127.0.0.1"])
    def test_certificate_of_another_name_is_refused(
        self, server_tls: ssl.SSLContext, trusting: ssl.SSLContext, host: str
    ) -> None:
        with receiving(tls=server_tls) as receiver:
            [outcome] = send(
                message(f"https://{host}:{receiver.port}/hook"), allowed=read_allowed(host),
                resolve=resolving(["127.0.0.1"]), tls=trusting,
            )  # fmt: skip
        assert "CERTIFICATE_VERIFY_FAILED" in (outcome.error or "")
        assert receiver.received == []

    def test_certificate_that_nobody_vouches_for_is_refused(self, server_tls: ssl.SSLContext) -> None:
        with receiving(tls=server_tls) as receiver:
            url = f"https://hooks.internal:{receiver.port}/hook"
            [outcome] = send(message(url), allowed=read_allowed("hooks.internal"), resolve=resolving(["127.0.0.1"]))
        assert "CERTIFICATE_VERIFY_FAILED" in (outcome.error or "")
        assert receiver.received == []


class TestSigning:
    def received(self, *secrets: str, body: str = BODY) -> Received:
        with receiving() as receiver:
            send(message(receiver.url, body), secrets=secrets)
        [got] = receiver.received
        return got

    @pytest.mark.parametrize("body", [BODY, "{}", '{"a":"' + "x" * 60_000 + '"}'])
    def test_signature_is_the_one_of_the_specification(self, body: str) -> None:
        got = self.received(SECRET, body=body)
        assert Webhook(SECRET).verify(got.body, got.headers) == json.loads(body)

    def test_example_of_the_specification(self) -> None:
        """Its own secret, id, time and body give its own signature."""
        at = datetime.fromtimestamp(1614265330, UTC)
        given = Message("msg_p5jXN8AQM9LWM0D4loKWxJek", 1, "x", "", '{"test": 2432232314}', "standard", "app:shop")
        assert standard_headers(["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])(given, at) == {
            "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "webhook-timestamp": "1614265330",
            "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        }

    def test_two_secrets_give_two_signatures_while_one_replaces_the_other(self) -> None:
        got = self.received(SECRET, NEXT_SECRET)
        assert len(got.headers["webhook-signature"].split(" ")) == 2
        for secret in (SECRET, NEXT_SECRET):
            Webhook(secret).verify(got.body, got.headers)
        with pytest.raises(WebhookVerificationError):
            Webhook("whsec_" + base64.b64encode(b"2" * 32).decode()).verify(got.body, got.headers)

    def test_without_a_secret_nothing_is_signed(self) -> None:
        got = self.received()
        assert "webhook-signature" not in got.headers
        assert {"webhook-id", "webhook-timestamp"} <= got.headers.keys()

    def test_no_change_of_one_bit_is_taken(self) -> None:
        got, chance = self.received(SECRET), random.Random(7)
        parts = {"body": got.body, **{name: got.headers[name] for name in got.headers if name.startswith("webhook-")}}
        raw = {name: text.encode() for name, text in parts.items()}
        taken = 0
        for _ in range(1000):
            name = chance.choice(sorted(raw))
            changed = bytearray(raw[name])
            changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
            if name == "webhook-signature" and _is_same_base64(bytes(changed), raw[name]):
                continue  # the last letter of base64 has bits that say nothing
            taken += _is_taken({**raw, name: bytes(changed)})
        assert taken == 0

    @pytest.mark.parametrize(("off_s", "is_taken"), [(0, True), (-290, True), (290, True), (-301, False), (302, False)])
    def test_old_message_is_refused_by_its_time(self, off_s: int, is_taken: bool) -> None:
        at = datetime.now(UTC) + timedelta(seconds=off_s)
        headers = standard_headers([SECRET])(message("https://x.example.com"), at)
        raw = {"body": BODY.encode(), **{name: text.encode() for name, text in headers.items()}}
        assert _is_taken(raw) is is_taken

    def test_each_attempt_has_its_own_time_and_the_same_id(self) -> None:
        headers = standard_headers([SECRET])
        at = datetime.now(UTC)
        first, second = (headers(message("x"), at + timedelta(seconds=each)) for each in (0, 60))
        assert first["webhook-id"] == second["webhook-id"]
        assert first["webhook-signature"] != second["webhook-signature"]


class TestSecrets:
    def test_one_or_two_are_taken(self) -> None:
        assert read_secrets(SECRET) == (SECRET,)
        assert read_secrets(f" {SECRET}  {NEXT_SECRET}\n") == (SECRET, NEXT_SECRET)
        assert read_secrets(SECRET.rstrip("=")) == (SECRET.rstrip("="),)

    @pytest.mark.parametrize(
        "text",
        [
            "geheim", "whsec_", "whsec_geheim", "whsec_" + base64.b64encode(b"x" * 23).decode(),
            "whsec_" + base64.b64encode(b"x" * 65).decode(), SECRET.removeprefix("whsec_"), f"{SECRET} geheim",
            f"{SECRET},{NEXT_SECRET}", f"{SECRET} {SECRET} {SECRET}", "whsec_" + "ü" * 40, "whsec_" + "!" * 40,
        ],
    )  # fmt: skip
    def test_anything_else_is_refused_without_being_repeated(self, text: str) -> None:
        with pytest.raises(InvalidSetting, match="COUNTERSIGN_WEBHOOK_SECRET") as refused:
            read_secrets(text)
        assert "geheim" not in refused.value.message
        assert SECRET not in refused.value.message


def _is_taken(raw: dict[str, bytes]) -> bool:
    try:
        texts = {name: text.decode() for name, text in raw.items()}
        Webhook(SECRET).verify(texts.pop("body"), texts, json_parse=False)
    except Exception:
        return False
    return True


def _is_same_base64(one: bytes, other: bytes) -> bool:
    decode: Callable[[bytes], bytes] = lambda text: base64.b64decode(text.partition(b",")[2])  # noqa: E731
    try:
        return one[:3] == other[:3] and decode(one) == decode(other)
    except ValueError:
        return False


async def _unknown(host: str, port: int) -> Sequence[IPAddress]:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
