"""Makes the table of profiles."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "profiles",
        sa.Column("account_id", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("about", sa.String(2000), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("profiles")
