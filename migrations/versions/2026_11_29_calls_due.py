"""Jobs that wait for people while an approved call of theirs is to run."""

import sqlalchemy as sa
import sqlmodel.sql.sqltypes
from alembic import op

revision = "2026_11_29_calls_due"
down_revision = "2026_11_28_few_among_many"
branch_labels = None
depends_on = None

_FEW = sa.text("run_due_at IS NOT NULL")


def upgrade() -> None:
    op.add_column("jobs", sa.Column("run_due_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True))
    op.create_index("jobs_run_due", "jobs", ["run_due_at"], sqlite_where=_FEW, postgresql_where=_FEW)


def downgrade() -> None:
    op.drop_index("jobs_run_due", table_name="jobs")
    op.drop_column("jobs", "run_due_at")
