"""Requests of programs that run the approved action themselves, each filed once."""

import sqlalchemy as sa
from alembic import op

revision = "2026_12_03_requests"
down_revision = "2026_12_02_assignee"
branch_labels = None
depends_on = None

_KEY, _SAME, _EVENTS = "approvals_request_key", "approvals_same_request", "events_without_job"
_HAS_KEY, _IS_REQUEST = sa.text("request_key IS NOT NULL"), sa.text("request_sha256 IS NOT NULL")
_HAS_NO_JOB = sa.text("job_id IS NULL")


def upgrade() -> None:
    with op.batch_alter_table("approvals") as table:
        table.add_column(sa.Column("sent_along", sa.Text(), nullable=True))
        table.add_column(sa.Column("callback_url", sa.Text(), nullable=True))
        table.add_column(sa.Column("request_key", sa.String(), nullable=True))
        table.add_column(sa.Column("request_sha256", sa.String(), nullable=True))
    op.create_index(
        _KEY, "approvals", ["owner", "request_key"], unique=True, sqlite_where=_HAS_KEY, postgresql_where=_HAS_KEY
    )
    op.create_index(
        _SAME,
        "approvals",
        ["owner", "request_sha256", "created_at"],
        sqlite_where=_IS_REQUEST,
        postgresql_where=_IS_REQUEST,
    )
    op.create_index(_EVENTS, "events", ["approval_id", "id"], sqlite_where=_HAS_NO_JOB, postgresql_where=_HAS_NO_JOB)


def downgrade() -> None:
    op.drop_index(_EVENTS, "events")
    op.drop_index(_SAME, "approvals")
    op.drop_index(_KEY, "approvals")
    with op.batch_alter_table("approvals") as table:
        table.drop_column("request_sha256")
        table.drop_column("request_key")
        table.drop_column("callback_url")
        table.drop_column("sent_along")
