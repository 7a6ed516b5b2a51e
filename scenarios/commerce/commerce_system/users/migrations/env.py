"""How alembic reaches the database of the users."""

from commerce_system.shared.migrating import run_migrations

run_migrations()
