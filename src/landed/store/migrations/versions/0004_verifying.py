"""verifying"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "verify_starts",
        sa.Column("id", sa.UUID(), nullable=False, comment="our id of the session, in the path of its callbacks"),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("caller", sa.Text(), nullable=False, comment="who asked: an API key, or the command line"),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("asked", postgresql.JSONB(), nullable=False, comment="what else was asked for, to ask for it again"),
        sa.Column("state", sa.Text(), nullable=False, comment="asking, started, refused, unknown or lost"),
        sa.Column("provider_session_id", sa.Text(), nullable=True, comment="null until the provider's answer is known"),
        sa.Column("problem", sa.Text(), nullable=True, comment="the code of the error that it ended in"),
        sa.Column("codes_tried", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("resent_from", sa.UUID(), nullable=True, comment="the start that this one sends again"),
        sa.Column("asked_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("looked_up_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_verify_starts_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verify_starts")),
        comment="verify sessions that we asked providers to start; limits against abuse count them",
    )
    taken = sa.text("state <> 'refused'")
    indexes: dict[str, tuple[list[str], sa.TextClause | None]] = {
        "session": (["provider_session_id", "account_id"], None),
        "recipient_asked_at": (["recipient", "asked_at"], taken),
        "country_asked_at": (["account_id", "country", "asked_at"], taken),
        "caller_asked_at": (["caller", "asked_at"], taken),
        "resent_from": (["resent_from"], sa.text("resent_from IS NOT NULL")),
        "unsettled": (["asked_at"], sa.text("state IN ('asking', 'unknown')")),
    }
    for name, (columns, where) in indexes.items():
        op.create_index(f"ix_verify_starts_{name}", "verify_starts", columns, unique=False, postgresql_where=where)


def downgrade() -> None:
    op.drop_table("verify_starts")
