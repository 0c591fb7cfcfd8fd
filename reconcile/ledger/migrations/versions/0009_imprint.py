"""Lets the ledger remember what the files of each run were when the run left them."""

from alembic import op

from reconcile.ledger.schema import imprint

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Create the table, unless the ledger was made with it."""
    imprint.create(op.get_bind(), checkfirst=True)


def downgrade() -> None:
    """Drop the table."""
    imprint.drop(op.get_bind())
