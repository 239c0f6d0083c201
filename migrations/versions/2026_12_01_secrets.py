"""Which places of a call's arguments are secret, as its tool had it when the call was asked."""

import sqlalchemy as sa
from alembic import op

revision = "2026_12_01_secrets"
down_revision = "2026_11_30_risk"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("approvals", sa.Column("secrets", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("approvals", "secrets")
