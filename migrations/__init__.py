"""The revisions of the database schema; the same ones on SQLite and PostgreSQL."""
