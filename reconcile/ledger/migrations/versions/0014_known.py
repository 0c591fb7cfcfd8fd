"""Lets the ledger remember what contacts are known by, so that a delta need not read them all."""

import sqlalchemy as sa
from alembic import op

from reconcile.ledger import schema

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Create the table and the column, unless the ledger was made with them.

    Nothing is known until the next full run.
    """
    schema.known.create(op.get_bind(), checkfirst=True)
    there = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("pair")}
    if "known" not in there:
        op.add_column("pair", sa.Column("known", sa.String(64)))


def downgrade() -> None:
    """Drop them: a delta then reads both sides whole for a new contact."""
    op.drop_column("pair", "known")
    schema.known.drop(op.get_bind())
