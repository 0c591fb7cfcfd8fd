"""Lets the ledger remember that persons were erased, and which copies of it were made."""

from alembic import op

from reconcile.ledger import schema

revision = "0013"
down_revision = "0012"

_TABLES = (schema.tombstone, schema.erasure, schema.backup)


def upgrade() -> None:
    """Create the tables, unless the ledger was made with them."""
    for table in _TABLES:
        table.create(op.get_bind(), checkfirst=True)


def downgrade() -> None:
    """Drop the tables. What was erased may then come back unasked."""
    for table in _TABLES:
        table.drop(op.get_bind())
