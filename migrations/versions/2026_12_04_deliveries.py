"""Messages to the world outside, and where a job's end is told."""

import sqlalchemy as sa
import sqlmodel.sql.sqltypes
from alembic import op

revision = "2026_12_04_deliveries"
down_revision = "2026_12_03_requests"
branch_labels = None
depends_on = None

#: Name, columns, and which rows are in it.
INDEXES_OF_FEW = (
    ("deliveries_due", ("target", "due_at"), "status = 'pending'"),
    ("deliveries_notified", ("delivered_at",), "target = 'notify' AND delivered_at IS NOT NULL"),
    ("deliveries_job", ("job_id", "created_at", "id"), "job_id IS NOT NULL"),
    ("deliveries_approval", ("approval_id", "created_at", "id"), "approval_id IS NOT NULL"),
)
INDEXES = (
    ("deliveries_owner_created", ("owner", "created_at", "id")),
    ("deliveries_status_created", ("status", "created_at", "id")),
    ("deliveries_created", ("created_at", "id")),
)
_NOTICES = sa.text("target = 'notify'")


def upgrade() -> None:
    op.add_column("jobs", sa.Column("callback_url", sa.Text(), nullable=True))
    op.create_table(
        "deliveries",
        sa.Column("id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("event", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("job_id", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("approval_id", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("owner", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("app", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("target", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("form", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("status", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("claimed_until", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("created_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("delivered_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.CheckConstraint("status IN ('pending', 'delivered', 'failed', 'dropped')", name="deliveries_status"),
        sa.CheckConstraint("target IN ('callback', 'notify')", name="deliveries_target"),
        sa.PrimaryKeyConstraint("id"),
    )
    for name, columns, where in INDEXES_OF_FEW:
        op.create_index(name, "deliveries", list(columns), sqlite_where=sa.text(where), postgresql_where=sa.text(where))
    op.create_index(
        "deliveries_one_notice",
        "deliveries",
        ["approval_id"],
        unique=True,
        sqlite_where=_NOTICES,
        postgresql_where=_NOTICES,
    )
    for name, columns in INDEXES:
        op.create_index(name, "deliveries", list(columns))


def downgrade() -> None:
    op.drop_table("deliveries")
    op.drop_column("jobs", "callback_url")
