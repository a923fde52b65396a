"""alerts, who is told of them, and the rules that are on from the start"""

import json
from typing import Any, Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"

#: Written down here as they were first given: from then on they are the operator's, and one that was deleted stays so.
DEFAULT_RULES: Final[list[dict[str, Any]]] = [
    {
        "id": "00000000-0000-4000-8000-000000000001", "name": "Messages fail", "kind": "failure_share",
        "threshold": 0.2, "recovery": 0.1, "floor": 50, "window_s": 900, "hold_s": 120, "recovery_hold_s": 300,
        "severity": "critical",
    },
    {
        "id": "00000000-0000-4000-8000-000000000002", "name": "Messages are slow", "kind": "slow_share",
        "threshold": 0.3, "recovery": 0.15, "floor": 50, "window_s": 900, "hold_s": 120, "recovery_hold_s": 300,
        "after_s": 120, "severity": "warning",
    },
    {
        "id": "00000000-0000-4000-8000-000000000003", "name": "Receipts are missing", "kind": "missing_share",
        "threshold": 0.2, "recovery": 0.1, "floor": 50, "window_s": 1800, "hold_s": 120, "recovery_hold_s": 300,
        "after_s": 1800, "severity": "warning",
    },
    {
        "id": "00000000-0000-4000-8000-000000000004", "name": "Unknown statuses", "kind": "unknown_statuses",
        "threshold": 1, "recovery": 0, "floor": 0, "window_s": 3600, "hold_s": 0, "recovery_hold_s": 0,
        "severity": "info",
    },
    {
        "id": "00000000-0000-4000-8000-000000000005", "name": "Signatures are refused", "kind": "refused_signatures",
        "threshold": 50, "recovery": 5, "floor": 0, "window_s": 900, "hold_s": 0, "recovery_hold_s": 300,
        "severity": "warning",
    },
    {
        "id": "00000000-0000-4000-8000-000000000006", "name": "Tracking lags behind", "kind": "tracking_lag",
        "threshold": 60, "recovery": 10, "floor": 0, "window_s": 60, "hold_s": 300, "recovery_hold_s": 60,
        "severity": "critical",
    },
    {
        "id": "00000000-0000-4000-8000-000000000007", "name": "Spend is unusual", "kind": "spend",
        "threshold": 3, "recovery": 2, "floor": 200, "window_s": 3600, "hold_s": 300, "recovery_hold_s": 900,
        "against_usual": True, "severity": "warning",
    },
    {
        "id": "00000000-0000-4000-8000-000000000008", "name": "Few codes are typed", "kind": "otp_conversion",
        "threshold": 0.3, "recovery": 0.4, "floor": 50, "window_s": 10800, "hold_s": 0, "recovery_hold_s": 0,
        "severity": "warning",
    },
]  # fmt: skip
_INSERT: Final = """
INSERT INTO alert_rules (id, name, kind, filters, threshold, recovery, floor, window_s, hold_s, recovery_hold_s,
                         after_s, against_usual, severity, created_at, updated_at)
SELECT id, name, kind, '{}', threshold, recovery, floor, window_s, hold_s, recovery_hold_s, after_s,
       coalesce(against_usual, false), severity, now(), now()
  FROM jsonb_to_recordset(CAST(:rules AS jsonb))
    AS r (id uuid, name text, kind text, threshold float8, recovery float8, floor int, window_s int, hold_s int,
          recovery_hold_s int, after_s int, against_usual bool, severity text)
"""


def upgrade() -> None:
    op.create_table(
        "alert_targets",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="email, slack or webhook"),
        sa.Column("addresses", sa.ARRAY(sa.Text()), server_default="{}", nullable=False, comment="of mail"),
        sa.Column("host", sa.Text(), nullable=True, comment="of a hook: all of its address that is shown"),
        sa.Column("sealed", sa.LargeBinary(), nullable=True, comment="JSON: address and secret of a hook, encrypted"),
        sa.Column("weekly_summary", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("updated_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_targets")),
        sa.UniqueConstraint("name", name=op.f("uq_alert_targets_name")),
        comment="who is told of alerts",
    )
    op.create_table(
        "oddity_counts",
        sa.Column("kind", sa.Text(), nullable=False, comment="refused or unknown_status"),
        sa.Column("bucket_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False, comment="0: of nobody we know"),
        sa.Column("word", sa.Text(), nullable=False, comment="why it was refused, or the provider's word"),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "bucket_at", "account_id", "word", name=op.f("pk_oddity_counts")),
        comment="by the minute, from all processes, for alerts; kept for some days",
    )
    op.create_table(
        "alert_rules",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("filters", postgresql.JSONB(), nullable=False, comment="lists of values by the names of API filters"),
        sa.Column("account_id", sa.Integer(), nullable=True, comment="the only one it looks at; null: more"),
        sa.Column("threshold", sa.Double(), nullable=False),
        sa.Column("recovery", sa.Double(), nullable=False),
        sa.Column("floor", sa.Integer(), nullable=False),
        sa.Column("window_s", sa.Integer(), nullable=False),
        sa.Column("hold_s", sa.Integer(), nullable=False),
        sa.Column("recovery_hold_s", sa.Integer(), nullable=False),
        sa.Column("after_s", sa.Integer(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("against_usual", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("target_ids", sa.ARRAY(sa.UUID()), nullable=True, comment="null: all targets there are"),
        sa.Column("repeat_after_s", sa.Integer(), nullable=True),
        sa.Column("muted_until", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("state", sa.Text(), server_default="ok", nullable=False),
        sa.Column("since", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("good_since", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("quiet_since", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("observed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("value", sa.Double(), nullable=True, comment="as last seen; null: nothing to tell it from"),
        sa.Column(
            "observed_of", sa.BigInteger(), server_default="0", nullable=False, comment="how many it was told from"
        ),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("updated_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_alert_rules_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_rules")),
        sa.UniqueConstraint("name", name=op.f("uq_alert_rules_name")),
        comment="what to look at, and where the watch of it stands",
    )
    op.create_table(
        "alerts",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("rule_id", sa.UUID(), nullable=True, comment="null: the rule was deleted"),
        sa.Column("rule_name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=True, comment="the only one that it is about; null: more"),
        sa.Column(
            "ended_by", sa.Text(), nullable=True, comment="null: it stands; recovered, quiet, disabled or deleted"
        ),
        sa.Column("since", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("fired_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("ended_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("value", sa.Double(), nullable=False, comment="when it fired"),
        sa.Column("worst", sa.Double(), nullable=False),
        sa.Column("last", sa.Double(), nullable=True, comment="as last seen"),
        sa.Column("threshold", sa.Double(), nullable=False),
        sa.Column(
            "content", postgresql.JSONB(), nullable=False, comment="what, where and why, as it was seen when it fired"
        ),
        sa.Column("told_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("acknowledged_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("acknowledged_by", sa.Text(), nullable=True),
        sa.Column("muted_until", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["rule_id"], ["alert_rules.id"], name=op.f("fk_alerts_rule_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
        comment="a row for each incident",
    )
    op.create_index("ix_alerts_fired_at_id", "alerts", ["fired_at", "id"], unique=False)
    op.create_index(
        "ix_alerts_standing", "alerts", ["rule_id"], unique=True, postgresql_where=sa.text("ended_by IS NULL")
    )
    op.create_table(
        "alert_notifications",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column(
            "number",
            sa.BigInteger(),
            sa.Identity(always=False),
            nullable=False,
            comment="in the order in which they are to arrive",
        ),
        sa.Column("alert_id", sa.UUID(), nullable=True, comment="null: a summary"),
        sa.Column("target_id", sa.UUID(), nullable=True, comment="null: mail to `addresses`"),
        sa.Column("addresses", sa.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="fired, repeated, recovered or summary"),
        sa.Column("content", postgresql.JSONB(), nullable=False, comment="what is told, for every kind of target"),
        sa.Column(
            "state", sa.Text(), server_default="waiting", nullable=False, comment="waiting, delivered or given_up"
        ),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_attempt_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True, comment="why the last attempt failed"),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("settled_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["alert_id"], ["alerts.id"], name=op.f("fk_alert_notifications_alert_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["target_id"], ["alert_targets.id"], name=op.f("fk_alert_notifications_target_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_notifications")),
        comment="the outbox of alerts: written with the alert, delivered again and again until it arrives",
    )
    op.create_index("ix_alert_notifications_alert_id", "alert_notifications", ["alert_id"], unique=False)
    op.create_index(
        "ix_alert_notifications_next_attempt_at",
        "alert_notifications",
        ["next_attempt_at"],
        unique=False,
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.get_bind().execute(sa.text(_INSERT), {"rules": json.dumps(DEFAULT_RULES)})


def downgrade() -> None:
    for name in ("alert_notifications", "alerts", "alert_rules", "alert_targets", "oddity_counts"):
        op.drop_table(name)
