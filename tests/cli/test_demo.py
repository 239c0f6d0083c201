"""``countersign demo`` from an empty folder to the model's last words, by the same HTTP that people use."""

import contextlib
import re
import signal
import sqlite3
from collections.abc import Iterator
from typing import Any

import httpx2

from gateway.demo.script import demo_script
from gateway.demo.scripted_model import running
from tests.cli.commands import Commands, Running, wait_until

STARTED = "Ctrl-C ends it."
EMAIL_CHANGE = "Change the email of account acc_9921 to user@new.com"
NO_HOLD = {"COUNTERSIGN_UNDO_HOLD_S": "0"}


def app_key(demo: Running) -> str:
    found = re.search(r"Bearer (cs_app_\S+)'", demo.output)
    assert found is not None, demo.output
    return found[1]


def jobs(demo: Running) -> list[dict[str, Any]]:
    with demo.http(app_key(demo)) as http:
        items: list[dict[str, Any]] = http.get("/api/v1/jobs").json()["items"]
    return items


def last_words(demo: Running) -> list[str]:
    return [job["output"]["content"] for job in jobs(demo) if job["status"] == "succeeded"]


def is_waiting(demo: Running, count: int) -> bool:
    return [job["status"] for job in jobs(demo)].count("waiting") == count


@contextlib.contextmanager
def signed_in(demo: Running) -> Iterator[httpx2.Client]:
    """A browser with the printed sign-in."""
    found = re.search(r"Sign in as (\S+) with the password (\S+)", demo.output)
    assert found is not None, demo.output
    with demo.http() as browser:
        browser.headers["Sec-Fetch-Site"] = "same-origin"
        answer = browser.post("/sign-in", data={"email": found[1], "password": found[2], "next": "/"})
        assert answer.status_code == 303, answer.text
        yield browser


def approve_email_change(browser: httpx2.Client) -> None:
    for place in sorted(set(re.findall(r"/approvals/apr_\w+", browser.get("/").text))):
        page = browser.get(place).text
        # The title: every page lists the other calls, too.
        if f"<bdi>{EMAIL_CHANGE}</bdi></h1>" in page:
            sha256 = re.search(r'name="details_sha256" value="(\w+)"', page)
            assert sha256 is not None
            answer = browser.post(f"{place}/decision", data={"verdict": "approve", "details_sha256": sha256[1]})
            assert answer.status_code == 303, answer.text
            return
    raise AssertionError("the e-mail change does not wait")


def shop_email(cli: Commands) -> str:
    with sqlite3.connect(cli.folder / "var/demo_shop.db") as shop:
        email: str = shop.execute("SELECT email FROM accounts WHERE account_id = 'acc_9921'").fetchone()[0]
    shop.close()
    return email


def test_approval_in_the_browser_changes_the_shop_and_the_last_words(empty: Commands):
    with empty.started("demo", "--port", "0", until=STARTED, **NO_HOLD) as demo:
        wait_until(lambda: is_waiting(demo, 4), demo)
        assert shop_email(empty) == "user@old.com"
        with signed_in(demo) as browser:
            approve_email_change(browser)
        wait_until(lambda: last_words(demo) != [], demo)
        words = last_words(demo)
        demo.stop(signal.SIGTERM)

    assert shop_email(empty) == "user@new.com"
    assert words == ["Done. The email of account acc_9921 is now user@new.com."]
    assert demo.process.returncode == 0
    assert "The model is scripted" in demo.output
    assert "Traceback" not in demo.output


def test_killed_demo_goes_on_where_it_was(empty: Commands):
    with empty.started("demo", "--port", "0", until=STARTED) as first:
        wait_until(lambda: is_waiting(first, 4), first)
        before = {job["id"] for job in jobs(first)}
        first.process.kill()
        first.process.wait()
    with empty.started("demo", "--port", "0", until=STARTED) as second:
        with signed_in(second) as browser:
            assert EMAIL_CHANGE in browser.get("/").text
        assert {job["id"] for job in jobs(second)} == before
        second.stop(signal.SIGTERM)
    (empty.folder / "var/countersign.db").touch()

    with empty.started("demo", "--port", "0", "--fresh", until=STARTED) as third:
        wait_until(lambda: is_waiting(third, 4), third)
        after = {job["id"] for job in jobs(third)}

    assert not before & after
    assert (empty.folder / "var/countersign.db").exists()


def test_running_demo_is_not_removed_under_its_feet(empty: Commands):
    with empty.started("demo", "--port", "0", until=STARTED) as demo:
        code, said = empty.refused("demo", "--port", "0", "--fresh")
        wait_until(lambda: is_waiting(demo, 4), demo)

    assert code == 1
    assert f"(pid {demo.process.pid})" in said


def test_missing_mistral_common_is_one_sentence(empty: Commands):
    (empty.folder / "mistral_common").mkdir()
    (empty.folder / "mistral_common/__init__.py").write_text("raise ImportError('not here')")

    code, said = empty.refused("demo", "--port", "0")

    assert code == 2
    assert "install countersign with its extra 'demo'" in said


def test_mock_mistral_serves_a_script(empty: Commands):
    (empty.folder / "mine.toml").write_text(
        '[[conversations]]\nwhen = ""\n[[conversations.turns]]\ncontent = "Hello."\n'
    )
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    with empty.started("mock-mistral", "--port", "0", "--script", "mine.toml", until="Scripted Mistral API") as mock:
        with mock.http("any-key") as http:
            answer = http.post("/v1/chat/completions", json=body).json()
        mock.stop(signal.SIGINT)

    assert answer["choices"][0]["message"]["content"] == "Hello."
    assert "Traceback" not in mock.output


def test_missing_script_is_one_sentence(empty: Commands):
    code, said = empty.refused("mock-mistral", "--port", "0", "--script", "nowhere.toml")

    assert code == 2
    assert said.startswith("The script nowhere.toml cannot be read")


def test_demo_asks_the_real_api_when_there_is_a_key(empty: Commands):
    with running(demo_script(), validate=False, api_key="real-key") as api:
        given = {"MISTRAL_API_KEY": "real-key", "COUNTERSIGN_MISTRAL_SERVER_URL": api.url}
        with empty.started("demo", "--port", "0", until=STARTED, **given) as demo:
            wait_until(lambda: is_waiting(demo, 4), demo)

    assert "The model is mistral-small-latest of Mistral's API" in demo.output
    assert "real-key" not in demo.output
    assert len(api.requests) >= 4
