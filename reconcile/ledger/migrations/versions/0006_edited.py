"""Lets the ledger tell when a person last edited each end of a link.

That is apart from when our own writes changed it.
"""

import sqlalchemy as sa
from alembic import op

from reconcile.ledger.schema import link

revision = "0006"
down_revision = "0005"

_SIDES = ("app", "ghl")


def upgrade() -> None:
    """Add the columns, unless the ledger was made with them.

    Where we wrote, what changed last is not known.
    """
    there = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("link")}
    for side in _SIDES:
        if f"{side}_edited" in there:
            continue
        op.add_column("link", sa.Column(f"{side}_edited", sa.String(32)))
        unwritten = sa.update(link).where(link.c[f"{side}_written"].is_(None))
        op.execute(unwritten.values({f"{side}_edited": link.c[f"{side}_modified"]}))


def downgrade() -> None:
    """Drop the columns."""
    for side in _SIDES:
        op.drop_column("link", f"{side}_edited")
