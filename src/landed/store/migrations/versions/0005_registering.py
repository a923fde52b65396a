"""registering"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "registration_requests",
        sa.Column("id", sa.UUID(), nullable=False, comment="our id in the callback's path"),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="profile, brand, campaign, number_link or number_unlink"),
        sa.Column("alias", sa.Text(), nullable=True, comment="what we call it at the provider; null: numbers"),
        sa.Column(
            "parent_id",
            sa.Text(),
            nullable=True,
            comment="the provider's id of the profile, brand or campaign it belongs to",
        ),
        sa.Column("numbers", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("fields", postgresql.JSONB(), nullable=False, comment="what was asked for"),
        sa.Column("state", sa.Text(), nullable=False, comment="asking, asked, refused or unknown"),
        sa.Column("live", sa.Boolean(), nullable=False, comment="false: refused, or replaced by a later request"),
        sa.Column(
            "provider_id", sa.Text(), nullable=True, comment="the provider's id of the profile, brand or campaign"
        ),
        sa.Column("problem", sa.Text(), nullable=True, comment="the code of the error that it ended in"),
        sa.Column("detail", sa.Text(), nullable=True, comment="what the error said"),
        sa.Column("asked_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("updated_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_registration_requests_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registration_requests")),
        comment="what we asked providers to register for 10DLC",
    )
    op.create_index(
        "ix_registration_requests_alias",
        "registration_requests",
        ["account_id", "kind", "alias"],
        unique=True,
        postgresql_where=sa.text("live AND alias IS NOT NULL"),
    )
    op.create_index("ix_registration_requests_asked_at_id", "registration_requests", ["asked_at", "id"], unique=False)


def downgrade() -> None:
    op.drop_table("registration_requests")
