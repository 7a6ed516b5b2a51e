"""How alembic reaches the database of the orders."""

from commerce_system.shared.migrating import run_migrations

run_migrations()
