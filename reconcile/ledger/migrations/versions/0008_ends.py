"""Lets the ledger remember which application and which location each pair writes to."""

from alembic import op

from reconcile.ledger.schema import ends

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Create the table, unless the ledger was made with it."""
    ends.create(op.get_bind(), checkfirst=True)


def downgrade() -> None:
    """Drop the table."""
    ends.drop(op.get_bind())
