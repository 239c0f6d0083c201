"""The index of the calls of one risk among very many that wait."""

from alembic import op

revision = "2026_11_30_risk"
down_revision = "2026_11_29_calls_due"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("approvals_status_risk", "approvals", ["status", "risk", "created_at", "id"])


def downgrade() -> None:
    op.drop_index("approvals_status_risk", table_name="approvals")
