"""Gives each order the key by which it is made only once."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    # Orders from before had no key: each gets one that nobody else can send again.
    with op.batch_alter_table("orders") as table:
        table.add_column(sa.Column("idempotency_key", sa.String(200)))
        table.add_column(sa.Column("content_digest", sa.String(64)))
    op.execute(
        "UPDATE orders SET idempotency_key = 'before ' || CAST(id AS VARCHAR(20)),"
        " content_digest = ''"
    )
    with op.batch_alter_table("orders") as table:
        table.alter_column("idempotency_key", existing_type=sa.String(200), nullable=False)
        table.alter_column("content_digest", existing_type=sa.String(64), nullable=False)
        table.create_unique_constraint("orders_idempotency_key", ["user_id", "idempotency_key"])


def downgrade() -> None:
    with op.batch_alter_table("orders") as table:
        table.drop_constraint("orders_idempotency_key")
        table.drop_column("content_digest")
        table.drop_column("idempotency_key")
