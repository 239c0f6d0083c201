"""Limits: deadlines of jobs, warnings before approvals expire, calls asked for again, models that do not answer."""

import sqlalchemy as sa
import sqlmodel.sql.sqltypes
from alembic import op

revision = "2026_11_27_limits"
down_revision = "2026_11_21_initial"
branch_labels = None
depends_on = None

#: Name, table, columns, and which rows are in it.
INDEXES = (
    ("jobs_deadline", "jobs", ("deadline_at",), "deadline_at IS NOT NULL AND finished_at IS NULL"),
    ("approvals_same_call", "approvals", ("job_id", "call_sha256"), "call_sha256 IS NOT NULL"),
    (
        "turns_claimed",
        "turns",
        ("model_key", "claimed_until"),
        "model_key IS NOT NULL AND claimed_until IS NOT NULL",
    ),
    ("turns_parked", "turns", ("model_key", "parked_at"), "parked_at IS NOT NULL"),
    ("approvals_warn", "approvals", ("warn_at",), "warn_at IS NOT NULL AND decided_at IS NULL"),
)


def upgrade() -> None:
    # One by one: on SQLite a batch would write the whole table anew.
    op.add_column("jobs", sa.Column("deadline_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True))
    op.add_column("jobs", sa.Column("max_repeats", sa.Integer(), nullable=True))
    op.add_column("jobs", sa.Column("rejections", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("approvals", sa.Column("warn_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True))
    op.add_column("approvals", sa.Column("repeat_of", sqlmodel.sql.sqltypes.AutoString(), nullable=True))
    op.add_column("approvals", sa.Column("repeats", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("approvals", sa.Column("call_sha256", sqlmodel.sql.sqltypes.AutoString(), nullable=True))
    op.add_column("turns", sa.Column("model_key", sqlmodel.sql.sqltypes.AutoString(), nullable=True))
    op.add_column("turns", sa.Column("parked_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True))
    op.create_table(
        "model_circuits",
        sa.Column("model", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("open_until", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("changed_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("model"),
    )
    for name, table, columns, where in INDEXES:
        op.create_index(name, table, list(columns), sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def downgrade() -> None:
    for name, table, _, _ in INDEXES:
        op.drop_index(name, table_name=table)
    op.drop_table("model_circuits")
    for column in ("model_key", "parked_at"):
        op.drop_column("turns", column)
    for column in ("warn_at", "repeat_of", "repeats", "call_sha256"):
        op.drop_column("approvals", column)
    for column in ("deadline_at", "max_repeats", "rejections"):
        op.drop_column("jobs", column)
