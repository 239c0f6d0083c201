"""Indexes of the calls of one job, app or action among very many that wait."""

from alembic import op

revision = "2026_11_28_few_among_many"
down_revision = "2026_11_27_limits"
branch_labels = None
depends_on = None

#: Name and columns; the last two are the order of the lists.
INDEXES = (
    ("approvals_job_status", ("job_id", "status", "created_at", "id")),
    ("approvals_owner_status", ("owner", "status", "created_at", "id")),
    ("approvals_status_action", ("status", "action", "created_at", "id")),
)


def upgrade() -> None:
    for name, columns in INDEXES:
        op.create_index(name, "approvals", list(columns))


def downgrade() -> None:
    for name, _ in INDEXES:
        op.drop_index(name, table_name="approvals")
