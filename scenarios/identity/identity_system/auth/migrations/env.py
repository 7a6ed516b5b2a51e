"""How alembic reaches the database of the auth service."""

from shared_system.migrating import run_migrations

run_migrations()
