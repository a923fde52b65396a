"""ids of opt-outs by chance: from those that were made of account, sender and recipient a recipient could be found

The audit log is never rewritten: what it tells of old ids stays, for the administrators who alone read it.
"""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.execute("""
        WITH renamed AS (SELECT id AS before, gen_random_uuid() AS after FROM opt_outs),
             told AS (UPDATE events SET subject_id = renamed.after::text FROM renamed
                       WHERE events.subject_id = renamed.before::text)
        UPDATE opt_outs SET id = renamed.after FROM renamed WHERE opt_outs.id = renamed.before
    """)


def downgrade() -> None:
    """They stay: any id will do."""
