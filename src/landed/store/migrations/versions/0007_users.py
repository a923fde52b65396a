"""users"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"

_TABLES = ("web_sessions", "sign_in_links", "users", "sign_in_failures", "shared_links", "audit_log")
_APPEND_ONLY = """
CREATE FUNCTION audit_log_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_log is only added to';
END $$;
CREATE TRIGGER audit_log_is_kept BEFORE UPDATE OR DELETE ON audit_log
   FOR EACH ROW EXECUTE FUNCTION audit_log_is_kept();
"""


def upgrade() -> None:
    op.create_table(
        "audit_log",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column(
            "actor", sa.Text(), nullable=False, comment="user:NAME, key:NAME, cli:NAME of the system's user, or nobody"
        ),
        sa.Column("action", sa.Text(), nullable=False, comment="user.signed_in, key.created, api.post, …"),
        sa.Column("target", sa.Text(), nullable=True, comment="what it was done to; no phone number, no text"),
        sa.Column(
            "address", sa.Text(), nullable=True, comment="where from; null: this machine, or it could not be told"
        ),
        sa.Column("times", sa.Integer(), nullable=False, comment="how often within the seconds before"),
        sa.PrimaryKeyConstraint("id", "at", name=op.f("pk_audit_log")),
        comment="who did what; rows are only added, and dropped with their partition after a year",
        postgresql_partition_by="RANGE (at)",
    )
    op.create_index("ix_audit_log_at_id", "audit_log", ["at", "id"], unique=False)
    op.create_table(
        "shared_links",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False, comment="SHA-256 of the link's token"),
        sa.Column("path", sa.Text(), nullable=False, comment="the page it shows"),
        sa.Column("query", sa.Text(), nullable=False, comment="and the filters it is bound to"),
        sa.Column("created_by", sa.Text(), nullable=False, comment="name of the user"),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("revoked_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shared_links")),
        sa.UniqueConstraint("digest", name=op.f("uq_shared_links_digest")),
        comment="pages that whoever has the link may read, numbers masked",
    )
    op.create_table(
        "sign_in_failures",
        sa.Column(
            "subject",
            sa.Text(),
            nullable=False,
            comment="whom the delay is for: an address, a user, or a browser known",
        ),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("free_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_sign_in_failures")),
        comment="wrong passwords of late, by which the next try is delayed",
    )
    op.create_index("ix_sign_in_failures_last_at", "sign_in_failures", ["last_at"], unique=False)
    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False, comment="viewer, operator or admin"),
        sa.Column(
            "password_hash",
            sa.Text(),
            nullable=True,
            comment="argon2id with its parameters; null: signs in by a link only",
        ),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("disabled_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("signed_in_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("name", name=op.f("uq_users_name")),
    )
    op.create_table(
        "sign_in_links",
        sa.Column("digest", sa.LargeBinary(), nullable=False, comment="SHA-256 of the link's token"),
        sa.Column("user_id", sa.Integer(), nullable=True, comment="null: makes the first administrator"),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sign_in_links_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_sign_in_links")),
        comment="links that work once; a used one is deleted",
    )
    op.create_table(
        "web_sessions",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False, comment="SHA-256 of the cookie, which is random enough"),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column(
            "address", sa.Text(), nullable=True, comment="where it was signed in from; null: that could not be told"
        ),
        sa.Column("browser", sa.Text(), nullable=False, comment="User-Agent, its beginning"),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("seen_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_web_sessions_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_web_sessions")),
        sa.UniqueConstraint("digest", name=op.f("uq_web_sessions_digest")),
        comment="who is signed in; what is over by time or by hand is deleted",
    )
    op.create_index(op.f("ix_web_sessions_user_id"), "web_sessions", ["user_id"], unique=False)
    op.execute(_APPEND_ONLY)


def downgrade() -> None:
    for table in _TABLES:
        op.drop_table(table)
    op.execute("DROP FUNCTION audit_log_is_kept")
