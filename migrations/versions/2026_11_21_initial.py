"""All tables of the first version; decisions are append-only by triggers."""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_21_initial"
down_revision = None
branch_labels = None
depends_on = None


SQLITE_GUARDS = (
    """CREATE TRIGGER decisions_no_update BEFORE UPDATE ON decisions
       BEGIN SELECT RAISE(ABORT, 'decisions are append-only'); END""",
    """CREATE TRIGGER decisions_no_delete BEFORE DELETE ON decisions
       BEGIN SELECT RAISE(ABORT, 'decisions are append-only'); END""",
    # INSERT OR REPLACE deletes the old row without firing the trigger above.
    """CREATE TRIGGER decisions_no_replace BEFORE INSERT ON decisions
       WHEN EXISTS (SELECT 1 FROM decisions WHERE seq = NEW.seq OR id = NEW.id OR entry_hash = NEW.entry_hash)
       BEGIN SELECT RAISE(ABORT, 'decisions are append-only'); END""",
)
POSTGRESQL_GUARDS = (
    """CREATE FUNCTION decisions_are_append_only() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN RAISE EXCEPTION 'decisions are append-only'; END $$""",
    """CREATE TRIGGER decisions_no_change BEFORE UPDATE OR DELETE ON decisions
       FOR EACH ROW EXECUTE FUNCTION decisions_are_append_only()""",
    # Row triggers do not see TRUNCATE.
    """CREATE TRIGGER decisions_no_truncate BEFORE TRUNCATE ON decisions
       FOR EACH STATEMENT EXECUTE FUNCTION decisions_are_append_only()""",
)


def upgrade() -> None:
    pass

    first = sa.text("INSERT INTO decision_head (id, seq, hash) VALUES (1, 0, :genesis)").bindparams(genesis="0" * 64)
    op.execute(first)
    for guard in SQLITE_GUARDS if op.get_bind().dialect.name == "sqlite" else POSTGRESQL_GUARDS:
        op.execute(guard)


def downgrade() -> None:
    pass

    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION decisions_are_append_only()")
