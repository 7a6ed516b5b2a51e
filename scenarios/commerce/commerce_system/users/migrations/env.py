"""How alembic reaches the database of the users."""

from shared_system.migrating import run_migrations

run_migrations()
