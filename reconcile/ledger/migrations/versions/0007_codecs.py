"""Lets the ledger remember with which codecs its baselines were made."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_TABLES = ("pair", "link")


def upgrade() -> None:
    """Add the columns, unless the ledger was made with them.

    What is known already counts as made with others.
    """
    for table in _TABLES:
        if "codecs" not in {
            column["name"] for column in sa.inspect(op.get_bind()).get_columns(table)
        }:
            op.add_column(table, sa.Column("codecs", sa.String(200)))


def downgrade() -> None:
    """Drop the columns."""
    for table in _TABLES:
        op.drop_column(table, "codecs")
