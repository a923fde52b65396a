"""sending"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"

_MOMENT = postgresql.TIMESTAMP(timezone=True)
_FREE = sa.text("state = 'waiting' AND claimed_by IS NULL")
_OPEN = sa.text("state <> 'waiting' OR claimed_by IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("api_key_id", sa.Integer(), nullable=False, comment="0: the command line"),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False, comment="SHA-256 of all that was asked for"),
        sa.Column("status", sa.SmallInteger(), nullable=True, comment="of the answer; null: in progress"),
        sa.Column("body", sa.Text(), nullable=True, comment="JSON: the answer"),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("in_progress_until", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("api_key_id", "key", name=op.f("pk_idempotency_keys")),
        comment="what was answered to whom, to be answered again",
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])
    op.create_table(
        "outbox",
        sa.Column("id", sa.UUID(), nullable=False, comment="the message's"),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column(
            "request", postgresql.JSONB(), nullable=False, comment="what to send, but for what other columns say"
        ),
        sa.Column(
            "state",
            sa.Text(),
            nullable=False,
            comment="waiting, sending: may have gone out, unknown: to be looked up",
        ),
        sa.Column("due_at", _MOMENT, nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("first_marked_at", _MOMENT, nullable=True),
        sa.Column("marked_at", _MOMENT, nullable=True),
        sa.Column("claimed_by", sa.Text(), nullable=True, comment="the worker that is to send it, or does"),
        sa.Column(
            "looks", sa.SmallInteger(), server_default="0", nullable=False, comment="look-ups that found nothing"
        ),
        sa.Column("problem", sa.Text(), nullable=True, comment="why it is not sent yet"),
        sa.Column("expires_at", _MOMENT, nullable=True),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_outbox_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        comment="messages on their way to the provider; what is settled is taken out",
    )
    op.create_index(
        "ix_outbox_account_id_sender_due_at", "outbox", ["account_id", "sender", "due_at"], postgresql_where=_FREE
    )
    op.create_index("ix_outbox_account_id_recipient", "outbox", ["account_id", "recipient"], postgresql_where=_OPEN)
    op.create_index("ix_outbox_unknown_due_at", "outbox", ["due_at"], postgresql_where=sa.text("state = 'unknown'"))
    op.create_index(
        "ix_outbox_expires_at",
        "outbox",
        ["expires_at"],
        postgresql_where=sa.text("state = 'waiting' AND expires_at IS NOT NULL"),
    )
    op.create_index(
        "ix_outbox_claimed_by", "outbox", ["claimed_by"], postgresql_where=sa.text("claimed_by IS NOT NULL")
    )
    op.create_table(
        "outbox_workers",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("alive_until", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_outbox_workers")),
        comment="who may hold claims in the outbox; what one that is dead was sending has to be looked up",
    )
    op.create_table(
        "outbox_counts",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False, comment="sent, retried, unknown, found, not_found, refused, …"),
        sa.Column("messages", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_outbox_counts_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", "outcome", name=op.f("pk_outbox_counts")),
        comment="what became of sending, for metrics",
    )
    op.create_table(
        "send_rates",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False, comment="empty: the account as a whole"),
        sa.Column("rate", sa.Double(), nullable=True, comment="messages per second; null: what the setting says"),
        sa.Column(
            "spent_until",
            sa.Double(),
            nullable=True,
            comment="seconds since 1970, as are all here: see services/rates.py",
        ),
        sa.Column("paused_until", sa.Double(), nullable=True),
        sa.Column("turn", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_send_rates_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", "sender", name=op.f("pk_send_rates")),
        comment="how fast may be sent, and how much of that is spent; who plans locks the account's row",
    )


def downgrade() -> None:
    for table in ("send_rates", "outbox_counts", "outbox_workers", "outbox", "idempotency_keys"):
        op.drop_table(table)
