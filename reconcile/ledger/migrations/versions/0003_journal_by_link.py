"""Lets the journal be asked for one link's writes, from here on."""

import sqlalchemy as sa
from alembic import op

from reconcile.ledger.schema import journal

revision = "0003"
down_revision = "0002"

_INDEX = next(index for index in journal.indexes if index.name == "journal_by_link")


def upgrade() -> None:
    """Add the column and its index, unless the ledger was made with them."""
    known = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("journal")}
    if "link_id" not in known:
        op.add_column("journal", sa.Column("link_id", sa.String(40)))
        _INDEX.create(op.get_bind())


def downgrade() -> None:
    """Drop the index and the column."""
    _INDEX.drop(op.get_bind())
    op.drop_column("journal", "link_id")
