"""The demo shop: what its rows say after each call."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.demo.shop import ShopRefusal, open_shop


@pytest.fixture
def shop(tmp_path):
    return open_shop(tmp_path / "new" / "shop.db")


def test_new_shop_always_has_the_same_rows(tmp_path):
    first, second = (open_shop(tmp_path / name).state() for name in ("a.db", "b.db"))

    assert first == second
    assert {"account_id": "acc_9921", "email": "user@old.com"} in first["accounts"]
    assert [order["amount"] for order in first["orders"]] == ["249.00", "84.50", "59.90", "39.00"]
    assert first["refunds"] == first["mails"] == []


def test_reopened_shop_keeps_what_was_done(tmp_path):
    open_shop(tmp_path / "shop.db").update_account_email("acc_9921", "user@new.com")

    assert {"account_id": "acc_9921", "email": "user@new.com"} in open_shop(tmp_path / "shop.db").state()["accounts"]


def test_order_shows_what_was_refunded(shop):
    shop.issue_refund("ord_1042", "49.00", "EUR", idempotency_key="a")
    shop.issue_refund("ord_1042", "0.10", "EUR", idempotency_key="b")

    order = shop.lookup_order("ord_1042")

    assert order["amount"] == "249.00"
    assert order["refunded"] == "49.10"


def test_changed_email_names_the_previous_one(shop):
    assert shop.update_account_email("acc_9921", "user@new.com") == {
        "account_id": "acc_9921",
        "email": "user@new.com",
        "previous_email": "user@old.com",
    }


def test_refund_keeps_its_amount_as_text(shop):
    refund = shop.issue_refund("ord_1042", "199.00", "EUR", idempotency_key="a")

    assert refund == {"refund_id": "ref_1", "order_id": "ord_1042", "amount": "199.00", "currency": "EUR"}
    assert shop.state()["refunds"][0]["amount"] == "199.00"


def test_same_key_refunds_once(shop):
    first = shop.issue_refund("ord_1042", "199.00", "EUR", idempotency_key="a")

    assert shop.issue_refund("ord_1042", "199.00", "EUR", idempotency_key="a") == first
    assert len(shop.state()["refunds"]) == 1


def test_same_key_for_another_refund_is_refused(shop):
    shop.issue_refund("ord_1042", "199.00", "EUR", idempotency_key="a")

    with pytest.raises(ShopRefusal, match="used for another refund"):
        shop.issue_refund("ord_1042", "1.00", "EUR", idempotency_key="a")


def test_more_than_was_paid_is_refused(shop):
    shop.issue_refund("ord_1077", "50.00", "EUR", idempotency_key="a")

    with pytest.raises(ShopRefusal, match=r"only 9\.90 EUR of order ord_1077"):
        shop.issue_refund("ord_1077", "9.91", "EUR", idempotency_key="b")
    assert len(shop.state()["refunds"]) == 1


@pytest.mark.parametrize("amount", ["0", "0.00", "-1", "1.234", "1e2", "ten", "", "1,00", "٣"])
def test_text_that_is_no_amount_is_refused(shop, amount):
    with pytest.raises(ShopRefusal, match="is not an amount"):
        shop.issue_refund("ord_1042", amount, "EUR", idempotency_key="a")


@pytest.mark.parametrize(
    ("call", "arguments", "reason"),
    [
        ("lookup_order", ["ord_1"], "no order ord_1"),
        ("issue_refund", ["ord_1", "1.00", "EUR"], "no order ord_1"),
        ("issue_refund", ["ord_1042", "1.00", "USD"], "paid in EUR, not in USD"),
        ("update_account_email", ["acc_1", "a@b.example"], "no account acc_1"),
        ("update_account_email", ["acc_9921", "nobody"], "'nobody' is not an e-mail address"),
        ("send_email", ["nobody", "s", "b"], "'nobody' is not an e-mail address"),
    ],
)
def test_refused_call_changes_nothing(shop, call, arguments, reason):
    before = shop.state()
    key = {"idempotency_key": "a"} if call == "issue_refund" else {}

    with pytest.raises(ShopRefusal, match=reason):
        getattr(shop, call)(*arguments, **key)

    assert shop.state() == before


def test_mail_is_kept_in_the_outbox(shop):
    assert shop.send_email("a@b.example", "Hello", "Text") == {
        "mail_id": "mail_1",
        "to": "a@b.example",
        "subject": "Hello",
    }
    assert shop.state()["mails"] == [{"mail_id": 1, "recipient": "a@b.example", "subject": "Hello", "body": "Text"}]


def test_many_threads_refund_each_key_once(shop):
    keys = [f"key-{number % 10}" for number in range(40)]

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda key: shop.issue_refund("ord_1042", "1.00", "EUR", idempotency_key=key), keys))

    assert len(shop.state()["refunds"]) == 10


def test_second_process_reads_what_this_one_wrote(tmp_path):
    path = tmp_path / "shop.db"
    open_shop(path).update_account_email("acc_9921", "user@new.com")
    program = (
        "import sys, pathlib; from gateway.demo.shop import open_shop; "
        "sys.stdout.write(open_shop(pathlib.Path(sys.argv[1])).state()['accounts'][-1]['email'])"
    )

    read = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)

    assert read.stdout == "user@new.com"
