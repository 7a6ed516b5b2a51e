"""Bringing a database's schema up to date with alembic, from inside a service.

Each service has its own folder of migrations, whose `env.py` calls `run_migrations`.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command, context
from alembic.config import Config
from sqlalchemy import Engine, text

__all__ = ["bring_up_to_date", "run_migrations"]

_LOCK = 5_263_117
_PATIENCE_MS = 30_000


def bring_up_to_date(engine: Engine, migrations: Path) -> None:
    """Runs what is missing, in one transaction. Other instances wait until it is done."""
    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SET LOCAL statement_timeout={_PATIENCE_MS}")
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def run_migrations() -> None:
    """What an `env.py` does: runs the migrations on the connection that it was given."""
    context.configure(connection=context.config.attributes["connection"], render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
