"""Lets the ledger remember which answers were given together.

They can then be taken back as one.
"""

from alembic import op

from reconcile.ledger.schema import act

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Create the table, unless the ledger was made with it."""
    act.create(op.get_bind(), checkfirst=True)


def downgrade() -> None:
    """Drop the table."""
    act.drop(op.get_bind())
