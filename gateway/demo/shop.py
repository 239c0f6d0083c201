"""The demo's shop: orders, accounts, refunds and mails in an SQLite file of its own.

It stands for the system that an agent works on, so it knows nothing of approvals.
Amounts are decimal text from end to end, never floats.
"""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

_BUSY_TIMEOUT_S = 10.0
_AMOUNT = re.compile(r"[0-9]{1,9}(\.[0-9]{1,2})?")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")

_TABLES = """
CREATE TABLE accounts (account_id TEXT PRIMARY KEY, email TEXT NOT NULL);
CREATE TABLE orders (
    order_id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts,
    item TEXT NOT NULL,
    amount TEXT NOT NULL,
    currency TEXT NOT NULL,
    status TEXT NOT NULL
);
CREATE TABLE refunds (
    refund_id INTEGER PRIMARY KEY,
    order_id TEXT NOT NULL REFERENCES orders,
    amount TEXT NOT NULL,
    currency TEXT NOT NULL,
    idempotency_key TEXT NOT NULL UNIQUE
);
CREATE TABLE mails (
    mail_id INTEGER PRIMARY KEY,
    recipient TEXT NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL
);
"""

_ACCOUNTS = [
    ("acc_4410", "orders@tea-room.example"),
    ("acc_7302", "kitchen@old-mill.example"),
    ("acc_9921", "user@old.com"),
]
_ORDERS = [
    ("ord_1042", "acc_9921", "Espresso machine", "249.00", "EUR", "delivered"),
    ("ord_1058", "acc_4410", "Tea set for six", "84.50", "EUR", "delivered"),
    ("ord_1077", "acc_7302", "Cast-iron pan", "59.90", "EUR", "delivered late"),
    ("ord_1083", "acc_4410", "Kettle", "39.00", "EUR", "shipped"),
]


class ShopRefusal(Exception):
    """The shop did not do what it was asked; the text says why and nothing was changed."""


class Shop:
    """The shop in one file.

    Each call is a transaction on a connection of its own: threads and processes may share the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def lookup_order(self, order_id: str) -> dict[str, Any]:
        """The order with its account and what was refunded of it so far. Raises: ShopRefusal if there is none."""
        with self._transaction() as db:
            return _order(db, order_id) | {"refunded": str(_refunded(db, order_id))}

    def update_account_email(self, account_id: str, new_email: str) -> dict[str, Any]:
        """The account has this address from now on. Raises: ShopRefusal for an unknown account or no e-mail address."""
        if not _EMAIL.fullmatch(new_email):
            raise ShopRefusal(f"{new_email!r} is not an e-mail address")
        with self._transaction() as db:
            row = db.execute("SELECT email FROM accounts WHERE account_id = ?", (account_id,)).fetchone()
            if row is None:
                raise ShopRefusal(f"there is no account {account_id}")
            db.execute("UPDATE accounts SET email = ? WHERE account_id = ?", (new_email, account_id))
        return {"account_id": account_id, "email": new_email, "previous_email": row["email"]}

    def issue_refund(self, order_id: str, amount: str, currency: str, *, idempotency_key: str) -> dict[str, Any]:
        """This much of the order is paid back, once per key: the same key again answers with the first refund.

        Raises:
            ShopRefusal: unknown order, no valid amount, another currency, more than was
                paid, or a key that was used for another refund.
        """
        value = _amount(amount)
        with self._transaction() as db:
            order = _order(db, order_id)
            known = db.execute("SELECT * FROM refunds WHERE idempotency_key = ?", (idempotency_key,)).fetchone()
            if known is not None:
                return _same_refund(known, order_id, amount, currency)
            if currency != order["currency"]:
                raise ShopRefusal(f"order {order_id} was paid in {order['currency']}, not in {currency}")
            left = Decimal(order["amount"]) - _refunded(db, order_id)
            if value > left:
                raise ShopRefusal(f"only {left} {currency} of order {order_id} can be refunded")
            db.execute(
                "INSERT INTO refunds (order_id, amount, currency, idempotency_key) VALUES (?, ?, ?, ?)",
                (order_id, amount, currency, idempotency_key),
            )
            row = db.execute("SELECT * FROM refunds WHERE idempotency_key = ?", (idempotency_key,)).fetchone()
            return _refund(row)

    def send_email(self, to: str, subject: str, body: str) -> dict[str, Any]:
        """The mail is in the shop's outbox; nothing leaves the machine. Raises: ShopRefusal if ``to`` is no address."""
        if not _EMAIL.fullmatch(to):
            raise ShopRefusal(f"{to!r} is not an e-mail address")
        with self._transaction() as db:
            mail = db.execute("INSERT INTO mails (recipient, subject, body) VALUES (?, ?, ?)", (to, subject, body))
            return {"mail_id": f"mail_{mail.lastrowid}", "to": to, "subject": subject}

    def state(self) -> dict[str, list[dict[str, Any]]]:
        """Every row of every table, in the order of the keys."""
        with self._transaction() as db:
            return {
                "accounts": _rows(db, "SELECT * FROM accounts ORDER BY account_id"),
                "orders": _rows(db, "SELECT * FROM orders ORDER BY order_id"),
                "refunds": _rows(db, "SELECT * FROM refunds ORDER BY refund_id"),
                "mails": _rows(db, "SELECT * FROM mails ORDER BY mail_id"),
            }

    def seed(self) -> None:
        """The file has its tables and, if it had none before, the first accounts and orders."""
        with self._transaction() as db:
            if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'orders'").fetchone():
                return
            for statement in _TABLES.split(";"):
                db.execute(statement)
            db.executemany("INSERT INTO accounts VALUES (?, ?)", _ACCOUNTS)
            db.executemany("INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?)", _ORDERS)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        db = sqlite3.connect(self._path, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
        try:
            db.row_factory = sqlite3.Row
            # Taken at the start: a read that becomes a write later could fail in between.
            db.execute("BEGIN IMMEDIATE")
            with db:
                yield db
        finally:
            db.close()


def open_shop(path: Path) -> Shop:
    """The shop in this file, which is made and filled if there is none; always with the same rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shop = Shop(path)
    shop.seed()
    return shop


def _amount(text: str) -> Decimal:
    if not _AMOUNT.fullmatch(text) or Decimal(text) == 0:
        raise ShopRefusal(f"{text!r} is not an amount: give a decimal number such as 249.00")
    return Decimal(text)


def _order(db: sqlite3.Connection, order_id: str) -> dict[str, Any]:
    row = db.execute("SELECT * FROM orders WHERE order_id = ?", (order_id,)).fetchone()
    if row is None:
        raise ShopRefusal(f"there is no order {order_id}")
    return dict(row)


def _refunded(db: sqlite3.Connection, order_id: str) -> Decimal:
    # Added up here, because SQLite would add text up as floats.
    rows = db.execute("SELECT amount FROM refunds WHERE order_id = ?", (order_id,))
    return sum((Decimal(row["amount"]) for row in rows), Decimal("0.00"))


def _same_refund(row: sqlite3.Row, order_id: str, amount: str, currency: str) -> dict[str, Any]:
    if (row["order_id"], row["amount"], row["currency"]) != (order_id, amount, currency):
        raise ShopRefusal("this idempotency key was used for another refund")
    return _refund(row)


def _refund(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "refund_id": f"ref_{row['refund_id']}",
        "order_id": row["order_id"],
        "amount": row["amount"],
        "currency": row["currency"],
    }


def _rows(db: sqlite3.Connection, query: str) -> list[dict[str, Any]]:
    return [dict(row) for row in db.execute(query)]
