"""Every table, with what its rows are. Migrations make them; a test holds the two together.

Tables that only grow are partitioned by time, so that retention drops partitions and deletes nothing:
see partitions.py for which and how. Status, channel and the like are text: a new one needs no migration.
"""

from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Date,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP, UUID
from sqlalchemy.types import UserDefinedType


class XID8(UserDefinedType[str]):
    """PostgreSQL's 64-bit transaction id: never wraps, and is older or newer than another."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "xid8"


metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
    }
)

_NOW = text("now()")
_MOMENT = TIMESTAMP(timezone=True)


def _at(name: str, *, nullable: bool = False, default: bool = False) -> Column[Any]:
    return Column(name, _MOMENT, nullable=nullable, server_default=_NOW if default else None)


# --- who we are at providers, and who may ask us ------------------------------------------------------------

accounts = Table(
    "accounts",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("provider", Text, nullable=False),
    Column("provider_account_id", Text, nullable=False, comment="auth id, application id: public, not a secret"),
    Column("policy", Text, nullable=False, comment="how strict to be about signatures: the provider's own words"),
    _at("created_at", default=True),
    _at("disabled_at", nullable=True),
    Column(
        "allowed_addresses",
        ARRAY(Text),
        nullable=False,
        server_default="{}",
        comment="networks and host names that callbacks may come from; empty: anywhere",
    ),
)

account_tokens = Table(
    "account_tokens",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("account_id", ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False, index=True),
    Column(
        "role",
        Text,
        nullable=False,
        comment="account; main: the token of the main account above it; basic: user:password of callbacks",
    ),
    Column("sealed", LargeBinary, nullable=False, comment="encrypted with the secret key"),
    _at("created_at", default=True),
    _at("expires_at", nullable=True),
)

account_paths = Table(
    "account_paths",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("account_id", ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("role", Text, nullable=False, comment="key: the unguessable part of /callbacks/{key}; own: a whole path"),
    Column("sealed", LargeBinary, nullable=False, comment="the key or path, encrypted: a key is a secret"),
    Column("digest", LargeBinary, nullable=False, unique=True, comment="keyed hash of it, so that no two are alike"),
    _at("created_at", default=True),
    _at("expires_at", nullable=True),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("digest", LargeBinary, nullable=False, unique=True, comment="SHA-256 of the key, which is random enough"),
    Column("hint", Text, nullable=False, comment="first characters of the key, to tell keys apart"),
    Column("scope", Text, nullable=False, comment="read, send or admin"),
    Column("account_id", ForeignKey("accounts.id", ondelete="CASCADE"), comment="null: all accounts"),
    _at("created_at", default=True),
    _at("revoked_at", nullable=True),
)

# --- people, and what they and others did -------------------------------------------------------------------

users = Table(
    "users",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("role", Text, nullable=False, comment="viewer, operator or admin"),
    Column("password_hash", Text, comment="argon2id with its parameters; null: signs in by a link only"),
    _at("created_at", default=True),
    _at("disabled_at", nullable=True),
    _at("signed_in_at", nullable=True),
)

web_sessions = Table(
    "web_sessions",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("digest", LargeBinary, nullable=False, unique=True, comment="SHA-256 of the cookie, which is random enough"),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("address", Text, comment="where it was signed in from; null: that could not be told"),
    Column("browser", Text, nullable=False, comment="User-Agent, its beginning"),
    _at("created_at"),
    _at("seen_at"),
    comment="who is signed in; what is over by time or by hand is deleted",
)

sign_in_links = Table(
    "sign_in_links",
    metadata,
    Column("digest", LargeBinary, primary_key=True, comment="SHA-256 of the link's token"),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), comment="null: makes the first administrator"),
    _at("created_at"),
    _at("expires_at"),
    comment="links that work once; a used one is deleted",
)

sign_in_failures = Table(
    "sign_in_failures",
    metadata,
    Column("subject", Text, primary_key=True, comment="whom the delay is for: an address, a user, or a browser known"),
    Column("failures", Integer, nullable=False),
    _at("last_at"),
    _at("free_at"),
    Index("ix_sign_in_failures_last_at", "last_at"),
    comment="wrong passwords of late, by which the next try is delayed",
)

shared_links = Table(
    "shared_links",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("digest", LargeBinary, nullable=False, unique=True, comment="SHA-256 of the link's token"),
    Column("path", Text, nullable=False, comment="the page it shows"),
    Column("query", Text, nullable=False, comment="and the filters it is bound to"),
    Column("created_by", Text, nullable=False, comment="name of the user"),
    _at("created_at"),
    _at("expires_at"),
    _at("revoked_at", nullable=True),
    comment="pages that whoever has the link may read, numbers masked",
)

audit_log = Table(
    "audit_log",
    metadata,
    Column("id", BigInteger, Identity(), nullable=False),
    _at("at"),
    Column("actor", Text, nullable=False, comment="user:NAME, key:NAME, cli:NAME of the system's user, or nobody"),
    Column("action", Text, nullable=False, comment="user.signed_in, key.created, api.post, …"),
    Column("target", Text, comment="what it was done to; no phone number, no text"),
    Column("address", Text, comment="where from; null: this machine, or it could not be told"),
    Column("times", Integer, nullable=False, comment="how often within the seconds before"),
    PrimaryKeyConstraint("id", "at"),
    Index("ix_audit_log_at_id", "at", "id"),
    comment="who did what; rows are only added, and dropped with their partition after a year",
    postgresql_partition_by="RANGE (at)",
)

# --- the journal --------------------------------------------------------------------------------------------

callbacks = Table(
    "callbacks",
    metadata,
    Column("id", BigInteger, Identity(cache=1000), nullable=False),
    _at("received_at"),
    Column("lane", SmallInteger, nullable=False),
    Column("epoch", SmallInteger, nullable=False, comment="see journal_epochs"),
    Column("xid", XID8, nullable=False, server_default=text("pg_current_xact_id()")),
    Column("account_id", Integer, nullable=False),
    Column("method", Text, nullable=False),
    Column("url", Text, nullable=False, comment="the public URL as the provider called it, query included"),
    Column("kind", Text, comment="from the long form of the path"),
    Column("our_id", Text, comment="from the long form of the path"),
    Column("headers", LargeBinary, nullable=False, comment="name, colon, space, value, newline; Authorization masked"),
    Column("body", LargeBinary, nullable=False),
    Column("verified_by", Text, nullable=False, comment="names of the headers that verified, by commas"),
    PrimaryKeyConstraint("id", "received_at"),
    Index("ix_callbacks_lane_epoch_xid_id", "lane", "epoch", "xid", "id"),
    postgresql_partition_by="RANGE (received_at)",
    comment="the journal: append-only, read by lane in the order of commit",
)

journal_epochs = Table(
    "journal_epochs",
    metadata,
    Column("epoch", SmallInteger, primary_key=True, autoincrement=False),
    _at("began_at", default=True),
    comment="transaction ids begin anew where a dump was restored; the epoch keeps positions in order across that",
)

lanes = Table(
    "lanes",
    metadata,
    Column("lane", SmallInteger, primary_key=True, autoincrement=False),
    Column("position", Text, nullable=False, comment="how far it is tracked; the journal's own writing"),
    Column("leased_by", Text),
    _at("leased_until", nullable=True),
)

trackers = Table(
    "trackers",
    metadata,
    Column("name", Text, primary_key=True),
    _at("alive_until"),
    comment="who shares the lanes; one that is dead is forgotten when its time is over",
)

refused_callbacks = Table(
    "refused_callbacks",
    metadata,
    Column("account_id", Integer, nullable=False),
    Column("slot", SmallInteger, nullable=False, comment="a ring: the oldest is written over"),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    _at("received_at"),
    Column("method", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("headers", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False, comment="its first bytes only"),
    Column("body_bytes", Integer, nullable=False),
    PrimaryKeyConstraint("account_id", "slot"),
    comment="the latest callbacks refused at the door, for diagnosis only; never tracked",
)

set_aside = Table(
    "set_aside",
    metadata,
    Column("callback_id", BigInteger, primary_key=True, autoincrement=False),
    Column("account_id", Integer, nullable=False, index=True),
    Column("reason", Text, nullable=False, comment="a stable word: callback_not_understood, nonce_reused, …"),
    Column("detail", Text, nullable=False),
    _at("received_at"),
    _at("set_aside_at", default=True),
    comment="accepted callbacks that changed no state, and why; a replay that succeeds takes them out again",
)

nonces = Table(
    "nonces",
    metadata,
    Column("account_id", Integer, nullable=False),
    Column("nonce", BigInteger, nullable=False, comment="digest of the nonce"),
    Column("content", BigInteger, nullable=False, comment="digest of what the signature does not cover"),
    Column("week", Date, nullable=False, comment="the Monday of the week it was received in"),
    PrimaryKeyConstraint("account_id", "nonce", "week"),
    postgresql_partition_by="RANGE (week)",
    comment="nonces of signatures that do not cover the body: the same one with other content is a forgery",
)

# --- state --------------------------------------------------------------------------------------------------

messages = Table(
    "messages",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("provider_message_id", Text, comment="null until the provider took what we send"),
    Column("direction", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("sender", Text),
    Column("recipient", Text),
    Column("country", Text),
    Column("mcc", Text),
    Column("mnc", Text),
    Column("status", Text, nullable=False),
    Column("provider_status", Text, nullable=False),
    Column("final", Boolean, nullable=False),
    Column("contradictory", Boolean, nullable=False),
    Column("error_code", Text),
    Column("parts", JSONB, nullable=False),
    Column("parts_of", Integer, nullable=False),
    Column("units", Integer),
    Column("cost_nanos", BigInteger),
    Column("currency", Text),
    Column("tags", ARRAY(Text), nullable=False, server_default="{}"),
    _at("submitted_at"),
    _at("queued_at", nullable=True),
    _at("sent_at", nullable=True),
    _at("delivered_at", nullable=True),
    _at("final_at", nullable=True),
    Column("latency_ms", BigInteger),
    Column("latency_clock", Text),
    Column("unknown_statuses", ARRAY(Text), nullable=False, server_default="{}"),
    Column("facts", Text, nullable=False, comment="JSON: the set of facts everything else in the row is derived from"),
    Column("dimension_ids", ARRAY(Integer), nullable=False, comment="where it is counted now"),
    Column("facts_count", Integer, nullable=False),
    _at("created_at", default=True),
    _at("updated_at", default=True),
    Column("content", JSONB(none_as_null=True), comment="of an inbound message: text, media, intent"),
    Column("converted", Boolean, comment="null: nobody told"),
    Column("receipt_missing", Boolean, nullable=False, server_default="false"),
    UniqueConstraint("account_id", "provider_message_id", "direction"),
    Index("ix_messages_submitted_at_id", "submitted_at", "id"),
    Index(
        "ix_messages_inbound_submitted_at_id",
        "submitted_at",
        "id",
        postgresql_where=text("direction = 'inbound'"),
    ),
    Index(
        "ix_messages_inbound_sender_submitted_at",
        "sender",
        "submitted_at",
        postgresql_where=text("direction = 'inbound'"),
    ),
    Index("ix_messages_recipient_submitted_at", "recipient", "submitted_at"),
    Index(
        "ix_messages_error_code_submitted_at",
        "error_code",
        "submitted_at",
        postgresql_where=text("error_code IS NOT NULL"),
    ),
    postgresql_with={"fillfactor": "70"},
)

opt_outs = Table(
    "opt_outs",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("sender", Text, nullable=False, comment="our number or name: what the person does not want to hear from"),
    Column("recipient", Text, nullable=False, comment="the person's number"),
    Column("opted_out", Boolean, nullable=False, comment="false: opted in again"),
    _at("changed_at"),
    Column("keyword", Text, comment="the word that was recognised"),
    Column("source", Text, nullable=False, comment="how we know: keyword, provider, error_code or manual"),
    Column("provider_message_id", Text, comment="the message that said so"),
    Column("facts", Text, nullable=False, comment="JSON: the set of facts everything else in the row is derived from"),
    _at("created_at", default=True),
    _at("updated_at", default=True),
    UniqueConstraint("account_id", "sender", "recipient"),
    Index("ix_opt_outs_recipient", "recipient"),
    Index("ix_opt_outs_changed_at_id", "changed_at", "id"),
    comment="who does not want to hear from which of our numbers",
)

media = Table(
    "media",
    metadata,
    Column("id", UUID, primary_key=True, comment="of message and address"),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("message_id", UUID, nullable=False, index=True, comment="the inbound message it came with"),
    Column("url", Text, nullable=False, comment="where the provider keeps it"),
    Column("state", Text, nullable=False, comment="waiting, downloaded or failed"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    _at("next_attempt_at"),
    Column("problem", Text, comment="why the last attempt failed"),
    Column("mime_type", Text, comment="as it was served"),
    Column("size_bytes", BigInteger),
    Column("sha256", Text, comment="of the content, which is the file's name"),
    _at("downloaded_at", nullable=True),
    _at("created_at", default=True),
    _at("updated_at", default=True),
    Index("ix_media_next_attempt_at", "next_attempt_at", postgresql_where=text("state = 'waiting'")),
    comment="pictures, sounds and files of inbound messages, and what became of downloading them",
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("provider_session_id", Text, nullable=False),
    Column("our_id", Text, comment="our id in the callback's path"),
    Column("recipient", Text),
    Column("country", Text),
    Column("mcc", Text),
    Column("mnc", Text),
    Column("channel", Text, comment="of the first attempt"),
    Column("status", Text, nullable=False),
    Column("provider_status", Text, nullable=False),
    Column("final", Boolean, nullable=False),
    Column("contradictory", Boolean, nullable=False),
    Column("error_code", Text, comment="of the last attempt that has one"),
    Column("attempts", JSONB, nullable=False),
    Column("cost_nanos", BigInteger),
    Column("currency", Text),
    _at("started_at"),
    _at("expires_at", nullable=True),
    _at("delivered_at", nullable=True),
    _at("verified_at", nullable=True),
    _at("final_at", nullable=True),
    Column("time_to_verify_ms", BigInteger),
    Column("time_to_verify_clock", Text),
    Column("unknown_statuses", ARRAY(Text), nullable=False, server_default="{}"),
    Column("facts", Text, nullable=False, comment="JSON: the set of facts everything else in the row is derived from"),
    Column("facts_count", Integer, nullable=False),
    _at("created_at", default=True),
    _at("updated_at", default=True),
    UniqueConstraint("account_id", "provider_session_id"),
    Index("ix_sessions_started_at_id", "started_at", "id"),
    Index("ix_sessions_recipient_started_at", "recipient", "started_at"),
    Index("ix_sessions_our_id", "our_id", postgresql_where=text("our_id IS NOT NULL")),
    comment="verify sessions",
)

verify_starts = Table(
    "verify_starts",
    metadata,
    Column("id", UUID, primary_key=True, comment="our id of the session, in the path of its callbacks"),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("caller", Text, nullable=False, comment="who asked: an API key, or the command line"),
    Column("recipient", Text, nullable=False),
    Column("country", Text),
    Column("channel", Text, nullable=False),
    Column("asked", JSONB, nullable=False, comment="what else was asked for, to ask for it again"),
    Column("state", Text, nullable=False, comment="asking, started, refused, unknown or lost"),
    Column("provider_session_id", Text, comment="null until the provider's answer is known"),
    Column("problem", Text, comment="the code of the error that it ended in"),
    Column("codes_tried", SmallInteger, nullable=False, server_default="0"),
    Column("resent_from", UUID, comment="the start that this one sends again"),
    _at("asked_at"),
    _at("looked_up_at", nullable=True),
    Index("ix_verify_starts_session", "provider_session_id", "account_id"),
    Index("ix_verify_starts_recipient_asked_at", "recipient", "asked_at", postgresql_where=text("state <> 'refused'")),
    Index(
        "ix_verify_starts_country_asked_at",
        "account_id",
        "country",
        "asked_at",
        postgresql_where=text("state <> 'refused'"),
    ),
    Index("ix_verify_starts_caller_asked_at", "caller", "asked_at", postgresql_where=text("state <> 'refused'")),
    Index("ix_verify_starts_resent_from", "resent_from", postgresql_where=text("resent_from IS NOT NULL")),
    Index("ix_verify_starts_unsettled", "asked_at", postgresql_where=text("state IN ('asking', 'unknown')")),
    comment="verify sessions that we asked providers to start; limits against abuse count them",
)


def _registrations(name: str, *columns: Column[Any] | UniqueConstraint, comment: str) -> Table:
    """Brands, campaigns and number links: what they are, where they stand and since when."""
    return Table(
        name,
        metadata,
        Column("id", UUID, primary_key=True),
        Column("account_id", ForeignKey("accounts.id"), nullable=False),
        *columns,
        Column("our_ids", ARRAY(Text), nullable=False, server_default="{}", comment="our ids in callback paths"),
        Column(
            "earlier_ids",
            ARRAY(UUID),
            nullable=False,
            server_default="{}",
            comment="what its id was, or would have been, while only our ids were known",
        ),
        Column("status", Text, nullable=False),
        Column("provider_status", Text, nullable=False),
        Column("final", Boolean, nullable=False),
        _at("status_since"),
        Column("reason", Text),
        Column("error_code", Text),
        Column("request", JSONB, comment="the last one and what came of it; null: nothing was told that we know"),
        Column("unknown_statuses", ARRAY(Text), nullable=False, server_default="{}"),
        Column(
            "facts", Text, nullable=False, comment="JSON: the set of facts everything else in the row is derived from"
        ),
        _at("first_heard_at"),
        _at("created_at", default=True),
        _at("updated_at", default=True),
        Index(f"ix_{name}_first_heard_at_id", "first_heard_at", "id"),
        Index(f"ix_{name}_our_ids", "our_ids", postgresql_using="gin"),
        comment=comment,
    )


brands = _registrations(
    "brands",
    Column("provider_brand_id", Text, comment="null while only our id is known"),
    UniqueConstraint("account_id", "provider_brand_id"),
    comment="10DLC brands",
)
campaigns = _registrations(
    "campaigns",
    Column("provider_campaign_id", Text, comment="null while only our id is known"),
    Column("provider_brand_id", Text),
    UniqueConstraint("account_id", "provider_campaign_id"),
    comment="10DLC campaigns",
)
number_links = _registrations(
    "number_links",
    Column("number", Text, comment="null while only our id is known"),
    Column("provider_campaign_id", Text, comment="the campaign it is linked to, or was last to be linked to"),
    Column("free", Boolean, nullable=False, comment="linked to no campaign, and nothing is under way"),
    UniqueConstraint("account_id", "number"),
    comment="numbers, and the 10DLC campaign each is linked to",
)

registration_requests = Table(
    "registration_requests",
    metadata,
    Column("id", UUID, primary_key=True, comment="our id in the callback's path"),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("kind", Text, nullable=False, comment="profile, brand, campaign, number_link or number_unlink"),
    Column("alias", Text, comment="what we call it at the provider; null: numbers"),
    Column("parent_id", Text, comment="the provider's id of the profile, brand or campaign it belongs to"),
    Column("numbers", ARRAY(Text), nullable=False, server_default="{}"),
    Column("fields", JSONB, nullable=False, comment="what was asked for"),
    Column("state", Text, nullable=False, comment="asking, asked, refused or unknown"),
    Column("live", Boolean, nullable=False, comment="false: refused, or replaced by a later request"),
    Column("provider_id", Text, comment="the provider's id of the profile, brand or campaign"),
    Column("problem", Text, comment="the code of the error that it ended in"),
    Column("detail", Text, comment="what the error said"),
    _at("asked_at"),
    _at("updated_at"),
    Index(
        "ix_registration_requests_alias",
        "account_id",
        "kind",
        "alias",
        unique=True,
        postgresql_where=text("live AND alias IS NOT NULL"),
    ),
    Index("ix_registration_requests_asked_at_id", "asked_at", "id"),
    comment="what we asked providers to register for 10DLC",
)

broadcasts = Table(
    "broadcasts",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("provider_broadcast_id", Text, nullable=False),
    Column("our_id", Text),
    Column("name", Text),
    Column("provider_status", Text, nullable=False),
    Column("final", Boolean, nullable=False),
    Column("recipients", Integer),
    Column("counts", JSONB, nullable=False, comment="messages by status"),
    Column("facts", Text, nullable=False, comment="JSON: the set of facts everything else in the row is derived from"),
    _at("first_heard_at"),
    _at("last_heard_at"),
    _at("created_at", default=True),
    _at("updated_at", default=True),
    UniqueConstraint("account_id", "provider_broadcast_id"),
    Index("ix_broadcasts_first_heard_at_id", "first_heard_at", "id"),
    comment="sendings to many that a provider reports on as a whole",
)

unknown_statuses = Table(
    "unknown_statuses",
    metadata,
    Column("account_id", Integer, nullable=False),
    Column("provider_status", Text, nullable=False),
    Column("facts", BigInteger, nullable=False),
    Column("last_callback_id", BigInteger),
    _at("last_seen_at"),
    PrimaryKeyConstraint("account_id", "provider_status"),
    comment="words of providers that have no mapping yet",
)

events = Table(
    "events",
    metadata,
    Column("id", BigInteger, Identity(cache=1000), nullable=False),
    _at("recorded_at"),
    Column("xid", XID8, nullable=False, server_default=text("pg_current_xact_id()")),
    Column("account_id", Integer, nullable=False),
    Column("type", Text, nullable=False),
    Column("subject_id", Text, nullable=False),
    _at("occurred_at"),
    PrimaryKeyConstraint("id", "recorded_at"),
    Index("ix_events_xid_id", "xid", "id"),
    postgresql_partition_by="RANGE (recorded_at)",
)

# --- asking back --------------------------------------------------------------------------------------------

lookups = Table(
    "lookups",
    metadata,
    Column("thing_id", UUID, primary_key=True, comment="of the message or verify session"),
    Column("kind", Text, nullable=False, comment="message or session"),
    Column("account_id", Integer, nullable=False),
    _at("next_at"),
    Column("attempts", Integer, nullable=False, server_default="0", comment="how often the provider answered"),
    Column("answer", Text, comment="what came of asking last: the provider's word, or why there was none"),
    _at("entered_at", default=True),
    Index("ix_lookups_account_id_next_at", "account_id", "next_at"),
    comment="what is not final and should be: to be asked for at the provider; finished ones are taken out",
)

walks = Table(
    "walks",
    metadata,
    Column("name", Text, primary_key=True),
    Column("position", Text, comment="how far it is; the walk's own writing; null: at the beginning"),
    _at("next_at"),
    comment="walks through tables, by one worker at a time",
)

imports = Table(
    "imports",
    metadata,
    Column("account_id", ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    _at("window_at"),
    Column("messages", Integer, nullable=False),
    _at("imported_at"),
    PrimaryKeyConstraint("account_id", "window_at"),
    comment="hours of history that were asked for at the provider and are in, so that an import can go on",
)

conversions = Table(
    "conversions",
    metadata,
    Column("message_id", UUID, primary_key=True),
    Column("account_id", Integer, nullable=False),
    Column("converted", Boolean, nullable=False),
    _at("occurred_at"),
    Column("state", Text, nullable=False, comment="waiting, told or refused"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    _at("next_attempt_at"),
    Column("problem", Text, comment="why the last attempt failed"),
    _at("created_at", default=True),
    _at("updated_at", default=True),
    Index("ix_conversions_next_attempt_at", "next_attempt_at", postgresql_where=text("state = 'waiting'")),
    comment="conversions to tell the provider of",
)

# --- counters -----------------------------------------------------------------------------------------------

dimensions = Table(
    "dimensions",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("account_id", Integer, nullable=False),
    Column("direction", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("country", Text, nullable=False),
    Column("mcc", Text, nullable=False),
    Column("mnc", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("error_code", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("tag", Text, nullable=False),
    Column("grain", Text, nullable=False),
    UniqueConstraint(
        "account_id",
        "direction",
        "channel",
        "country",
        "mcc",
        "mnc",
        "sender",
        "status",
        "error_code",
        "currency",
        "tag",
        "grain",
        name="uq_dimensions_all",
    ),
    comment="each combination that was ever counted, once, so that counters are rows of a few integers",
)


def _counters(resolution: str, **options: Any) -> tuple[Table, Table]:
    """Sums, and histograms of time to deliver, in buckets of one length."""
    sums = Table(
        f"counters_{resolution}",
        metadata,
        _at("bucket_at"),
        Column("dimension_id", Integer, nullable=False),
        Column("messages", BigInteger, nullable=False),
        Column("parts", BigInteger, nullable=False),
        Column("units", BigInteger, nullable=False),
        Column("cost_nanos", BigInteger, nullable=False),
        Column("receipts_missing", BigInteger, nullable=False, server_default="0"),
        Column("converted", BigInteger, nullable=False, server_default="0"),
        Column("unconverted", BigInteger, nullable=False, server_default="0"),
        PrimaryKeyConstraint("dimension_id", "bucket_at"),
        **options,
    )
    histograms = Table(
        f"latencies_{resolution}",
        metadata,
        _at("bucket_at"),
        Column("dimension_id", Integer, nullable=False),
        Column("histogram", LargeBinary, nullable=False, comment="as domain/latency.py packs it"),
        PrimaryKeyConstraint("dimension_id", "bucket_at"),
        **options,
    )
    return sums, histograms


counters_minute, latencies_minute = _counters("minute", postgresql_partition_by="RANGE (bucket_at)")
counters_hour, latencies_hour = _counters("hour")
counters_day, latencies_day = _counters("day")


def _session_counters(resolution: str, **options: Any) -> Table:
    """The funnel of verify sessions by start, and their attempts by channel, in buckets of one length."""
    return Table(
        f"session_counters_{resolution}",
        metadata,
        _at("bucket_at"),
        Column("account_id", Integer, nullable=False),
        Column("country", Text, nullable=False),
        Column("mcc", Text, nullable=False),
        Column("mnc", Text, nullable=False),
        Column("channel", Text, nullable=False, comment="of a session: that of its first attempt"),
        Column("started", BigInteger, nullable=False),
        Column("sent", BigInteger, nullable=False, comment="sessions of which an attempt was sent"),
        Column("delivered", BigInteger, nullable=False, comment="sessions of which an attempt was delivered"),
        Column("verified", BigInteger, nullable=False),
        Column("expired", BigInteger, nullable=False),
        Column("ended", BigInteger, nullable=False, comment="failed or cancelled"),
        Column("attempts", BigInteger, nullable=False),
        Column("attempts_sent", BigInteger, nullable=False),
        Column("attempts_delivered", BigInteger, nullable=False),
        Column("histogram", LargeBinary, nullable=False, comment="time to verify, as domain/latency.py packs it"),
        PrimaryKeyConstraint("account_id", "bucket_at", "country", "mcc", "mnc", "channel"),
        **options,
    )


session_counters_hour = _session_counters("hour")
session_counters_day = _session_counters("day")

# --- sending ------------------------------------------------------------------------------------------------

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("api_key_id", Integer, nullable=False, comment="0: the command line"),
    Column("key", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False, comment="SHA-256 of all that was asked for"),
    Column("status", SmallInteger, comment="of the answer; null: in progress"),
    Column("body", Text, comment="JSON: the answer"),
    _at("created_at"),
    _at("in_progress_until"),
    PrimaryKeyConstraint("api_key_id", "key"),
    Index("ix_idempotency_keys_created_at", "created_at"),
    comment="what was answered to whom, to be answered again",
)

_FREE = text("state = 'waiting' AND claimed_by IS NULL")
_OPEN = text("state <> 'waiting' OR claimed_by IS NOT NULL")
outbox = Table(
    "outbox",
    metadata,
    Column("id", UUID, primary_key=True, comment="the message's"),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("sender", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("request", JSONB, nullable=False, comment="what to send, but for what other columns say"),
    Column("state", Text, nullable=False, comment="waiting, sending: may have gone out, unknown: to be looked up"),
    _at("due_at"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    _at("first_marked_at", nullable=True),
    _at("marked_at", nullable=True),
    Column("claimed_by", Text, comment="the worker that is to send it, or does"),
    Column("looks", SmallInteger, nullable=False, server_default="0", comment="look-ups that found nothing"),
    Column("problem", Text, comment="why it is not sent yet"),
    _at("expires_at", nullable=True),
    _at("created_at"),
    Index("ix_outbox_account_id_sender_due_at", "account_id", "sender", "due_at", postgresql_where=_FREE),
    Index("ix_outbox_account_id_recipient", "account_id", "recipient", postgresql_where=_OPEN),
    Index("ix_outbox_unknown_due_at", "due_at", postgresql_where=text("state = 'unknown'")),
    Index("ix_outbox_expires_at", "expires_at", postgresql_where=text("state = 'waiting' AND expires_at IS NOT NULL")),
    Index("ix_outbox_claimed_by", "claimed_by", postgresql_where=text("claimed_by IS NOT NULL")),
    comment="messages on their way to the provider; what is settled is taken out",
)

outbox_workers = Table(
    "outbox_workers",
    metadata,
    Column("name", Text, primary_key=True),
    _at("alive_until"),
    comment="who may hold claims in the outbox; what one that is dead was sending has to be looked up",
)

outbox_counts = Table(
    "outbox_counts",
    metadata,
    Column("account_id", ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    Column("outcome", Text, nullable=False, comment="sent, retried, unknown, found, not_found, refused, …"),
    Column("messages", BigInteger, nullable=False),
    PrimaryKeyConstraint("account_id", "outcome"),
    comment="what became of sending, for metrics",
)

send_rates = Table(
    "send_rates",
    metadata,
    Column("account_id", ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    Column("sender", Text, nullable=False, comment="empty: the account as a whole"),
    Column("rate", Double, comment="messages per second; null: what the setting says"),
    Column("spent_until", Double, comment="seconds since 1970, as are all here: see services/rates.py"),
    Column("paused_until", Double),
    Column("turn", BigInteger, nullable=False, server_default="0"),
    PrimaryKeyConstraint("account_id", "sender"),
    comment="how fast may be sent, and how much of that is spent; who plans locks the account's row",
)

# --- alerts -------------------------------------------------------------------------------------------------

oddity_counts = Table(
    "oddity_counts",
    metadata,
    Column("kind", Text, nullable=False, comment="refused or unknown_status"),
    _at("bucket_at"),
    Column("account_id", Integer, nullable=False, comment="0: of nobody we know"),
    Column("word", Text, nullable=False, comment="why it was refused, or the provider's word"),
    Column("count", BigInteger, nullable=False),
    PrimaryKeyConstraint("kind", "bucket_at", "account_id", "word"),
    comment="by the minute, from all processes, for alerts; kept for some days",
)

alert_targets = Table(
    "alert_targets",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False, comment="email, slack or webhook"),
    Column("addresses", ARRAY(Text), nullable=False, server_default="{}", comment="of mail"),
    Column("host", Text, comment="of a hook: all of its address that is shown"),
    Column("sealed", LargeBinary, comment="JSON: address and secret of a hook, encrypted"),
    Column("weekly_summary", Boolean, nullable=False, server_default="false"),
    Column("enabled", Boolean, nullable=False, server_default="true"),
    _at("created_at"),
    _at("updated_at"),
    comment="who is told of alerts",
)

alert_rules = Table(
    "alert_rules",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("filters", JSONB, nullable=False, comment="lists of values by the names of API filters"),
    Column("account_id", ForeignKey("accounts.id", ondelete="CASCADE"), comment="the only one it looks at; null: more"),
    Column("threshold", Double, nullable=False),
    Column("recovery", Double, nullable=False),
    Column("floor", Integer, nullable=False),
    Column("window_s", Integer, nullable=False),
    Column("hold_s", Integer, nullable=False),
    Column("recovery_hold_s", Integer, nullable=False),
    Column("after_s", Integer),
    Column("currency", Text),
    Column("against_usual", Boolean, nullable=False, server_default="false"),
    Column("severity", Text, nullable=False),
    Column("enabled", Boolean, nullable=False, server_default="true"),
    Column("target_ids", ARRAY(UUID), comment="null: all targets there are"),
    Column("repeat_after_s", Integer),
    _at("muted_until", nullable=True),
    Column("state", Text, nullable=False, server_default="ok"),
    _at("since", nullable=True),
    _at("good_since", nullable=True),
    _at("quiet_since", nullable=True),
    _at("observed_at", nullable=True),
    Column("value", Double, comment="as last seen; null: nothing to tell it from"),
    Column("observed_of", BigInteger, nullable=False, server_default="0", comment="how many it was told from"),
    _at("created_at"),
    _at("updated_at"),
    comment="what to look at, and where the watch of it stands",
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("rule_id", ForeignKey("alert_rules.id", ondelete="SET NULL"), comment="null: the rule was deleted"),
    Column("rule_name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("account_id", Integer, comment="the only one that it is about; null: more"),
    Column("ended_by", Text, comment="null: it stands; recovered, quiet, disabled or deleted"),
    _at("since"),
    _at("fired_at"),
    _at("ended_at", nullable=True),
    Column("value", Double, nullable=False, comment="when it fired"),
    Column("worst", Double, nullable=False),
    Column("last", Double, comment="as last seen"),
    Column("threshold", Double, nullable=False),
    Column("content", JSONB, nullable=False, comment="what, where and why, as it was seen when it fired"),
    _at("told_at", nullable=True),
    _at("acknowledged_at", nullable=True),
    Column("acknowledged_by", Text),
    _at("muted_until", nullable=True),
    Index("ix_alerts_fired_at_id", "fired_at", "id"),
    Index("ix_alerts_standing", "rule_id", unique=True, postgresql_where=text("ended_by IS NULL")),
    comment="a row for each incident",
)

alert_notifications = Table(
    "alert_notifications",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("number", BigInteger, Identity(), nullable=False, comment="in the order in which they are to arrive"),
    Column("alert_id", ForeignKey("alerts.id", ondelete="CASCADE"), comment="null: a summary"),
    Column("target_id", ForeignKey("alert_targets.id", ondelete="CASCADE"), comment="null: mail to `addresses`"),
    Column("addresses", ARRAY(Text), nullable=False, server_default="{}"),
    Column("kind", Text, nullable=False, comment="fired, repeated, recovered or summary"),
    Column("content", JSONB, nullable=False, comment="what is told, for every kind of target"),
    Column("state", Text, nullable=False, server_default="waiting", comment="waiting, delivered or given_up"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    _at("next_attempt_at"),
    Column("problem", Text, comment="why the last attempt failed"),
    _at("created_at"),
    _at("settled_at", nullable=True),
    Index("ix_alert_notifications_alert_id", "alert_id"),
    Index("ix_alert_notifications_next_attempt_at", "next_attempt_at", postgresql_where=text("state = 'waiting'")),
    comment="the outbox of alerts: written with the alert, delivered again and again until it arrives",
)
