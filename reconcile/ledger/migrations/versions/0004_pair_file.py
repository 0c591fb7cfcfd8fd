"""Lets the ledger keep the pair files of a fleet."""

from alembic import op

from reconcile.ledger.schema import pair_file

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the table, unless the ledger was made with it."""
    pair_file.create(op.get_bind(), checkfirst=True)


def downgrade() -> None:
    """Drop the table."""
    pair_file.drop(op.get_bind())
