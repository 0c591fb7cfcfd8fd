"""Runs the ledger's migrations on the connection that the ledger hands over."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(
    connection=connection, version_table="ledger_version", transaction_per_migration=False
)
with context.begin_transaction():
    context.run_migrations()
