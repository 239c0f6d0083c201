"""Who looks at a call that waits, since when, and who said so."""

import sqlalchemy as sa
import sqlmodel.sql.sqltypes
from alembic import op

revision = "2026_12_02_assignee"
down_revision = "2026_12_01_secrets"
branch_labels = None
depends_on = None

_FEW = sa.text("assignee IS NOT NULL")


def upgrade() -> None:
    op.add_column("approvals", sa.Column("assignee", sqlmodel.sql.sqltypes.AutoString(), nullable=True))
    op.add_column("approvals", sa.Column("assigned_by", sqlmodel.sql.sqltypes.AutoString(), nullable=True))
    op.add_column("approvals", sa.Column("assigned_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True))
    op.create_index(
        "approvals_assignee",
        "approvals",
        ["assignee", "status", "created_at", "id"],
        sqlite_where=_FEW,
        postgresql_where=_FEW,
    )


def downgrade() -> None:
    op.drop_index("approvals_assignee", table_name="approvals")
    for column in ("assignee", "assigned_by", "assigned_at"):
        op.drop_column("approvals", column)
