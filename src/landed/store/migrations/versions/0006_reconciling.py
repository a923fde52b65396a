"""reconciling"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "lookups",
        sa.Column("thing_id", sa.UUID(), nullable=False, comment="of the message or verify session"),
        sa.Column("kind", sa.Text(), nullable=False, comment="message or session"),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("next_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column(
            "attempts", sa.Integer(), server_default="0", nullable=False, comment="how often the provider answered"
        ),
        sa.Column(
            "answer",
            sa.Text(),
            nullable=True,
            comment="what came of asking last: the provider's word, or why there was none",
        ),
        sa.Column("entered_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("thing_id", name=op.f("pk_lookups")),
        comment="what is not final and should be: to be asked for at the provider; finished ones are taken out",
    )
    op.create_index("ix_lookups_account_id_next_at", "lookups", ["account_id", "next_at"], unique=False)
    op.create_table(
        "walks",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "position",
            sa.Text(),
            nullable=True,
            comment="how far it is; the walk's own writing; null: at the beginning",
        ),
        sa.Column("next_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_walks")),
        comment="walks through tables, by one worker at a time",
    )
    op.create_table(
        "imports",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("window_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.Column("imported_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_imports_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", "window_at", name=op.f("pk_imports")),
        comment="hours of history that were asked for at the provider and are in, so that an import can go on",
    )
    op.create_table(
        "conversions",
        sa.Column("message_id", sa.UUID(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("converted", sa.Boolean(), nullable=False),
        sa.Column("occurred_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, comment="waiting, told or refused"),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_attempt_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True, comment="why the last attempt failed"),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_conversions")),
        comment="conversions to tell the provider of",
    )
    op.create_index(
        "ix_conversions_next_attempt_at",
        "conversions",
        ["next_attempt_at"],
        unique=False,
        postgresql_where=sa.text("state = 'waiting'"),
    )


def downgrade() -> None:
    for name in ("conversions", "imports", "walks", "lookups"):
        op.drop_table(name)
