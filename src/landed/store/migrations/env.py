"""Alembic's way in. `landed db upgrade` and the tests call it with a connection; nothing reads an ini file."""

from alembic import context

from landed.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
