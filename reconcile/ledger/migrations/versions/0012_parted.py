"""Lets the ledger remember with which record one was linked whose link was forgotten."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add the column, unless the ledger was made with it.

    Of links that were forgotten before, nobody knows.
    """
    there = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("grave")}
    if "other_key" not in there:
        op.add_column("grave", sa.Column("other_key", sa.String(400)))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("grave", "other_key")
