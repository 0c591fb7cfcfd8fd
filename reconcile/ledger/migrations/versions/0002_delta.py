"""Adds the watermarks of delta runs, and the webhooks that were taken."""

from alembic import op

from reconcile.ledger.schema import delivery, watermark

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the tables, unless the ledger was made with them."""
    for table in (watermark, delivery):
        table.create(op.get_bind(), checkfirst=True)


def downgrade() -> None:
    """Drop the tables."""
    for table in (delivery, watermark):
        table.drop(op.get_bind())
