"""Lets the ledger remember what each contact's appointments were when they were last read."""

from alembic import op

from reconcile.ledger.schema import agenda

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Create the table, unless the ledger was made with it."""
    agenda.create(op.get_bind(), checkfirst=True)


def downgrade() -> None:
    """Drop the table."""
    agenda.drop(op.get_bind())
