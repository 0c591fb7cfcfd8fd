"""Lets the ledger remember why the two sides of a linked value are known to differ."""

from alembic import op

from reconcile.ledger.schema import difference

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create the table, unless the ledger was made with it."""
    difference.create(op.get_bind(), checkfirst=True)


def downgrade() -> None:
    """Drop the table."""
    difference.drop(op.get_bind())
