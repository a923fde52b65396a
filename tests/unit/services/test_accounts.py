import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from landed.domain.accounts import Account, PathRole, TokenRole
from landed.domain.errors import InputInvalid, NotFound, SettingInvalid
from landed.providers import registry
from landed.services import accounts
from landed.store import accounts as account_rows
from landed.store import connect
from landed.store.accounts import Pool
from landed.store.sealing import Sealer

SEALER = Sealer("one secret key of thirty-two or more")
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
PROVIDERS = registry.load()


def run(database_url: str, story: Callable[[Pool], Awaitable[None]]) -> None:
    async def with_pool() -> None:
        async with connect.pool(database_url, connections_max=4) as pool:
            await story(pool)

    asyncio.run(with_pool())


async def add(pool: Pool, name: str = "shop", **changed: Any) -> Account:
    given: dict[str, Any] = {
        "provider": "plivo",
        "provider_account_id": "MA123",
        "auth_token": f"token-of-{name}",
        "now": NOW,
        **changed,
    }
    return await accounts.add(pool, SEALER, PROVIDERS, name=name, **given)


def keys(account: Account) -> list[str]:
    return [path.value for path in account.paths if path.role == PathRole.KEY]


async def live(pool: Pool, now: datetime = NOW) -> list[Account]:
    return await account_rows.all_live(pool, SEALER, now)


def test_new_account_is_live_with_all_it_was_given(database_url: str) -> None:
    async def story(pool: Pool) -> None:
        added = await add(
            pool, main_token="of-the-main-account", paths=["/plivo/status", "/plivo/status"], policy="any"
        )

        assert await live(pool) == [added]
        assert (added.name, added.provider, added.provider_account_id, added.policy) == (
            "shop",
            "plivo",
            "MA123",
            "any",
        )
        assert [(token.role, token.value) for token in added.tokens] == [
            (TokenRole.ACCOUNT, "token-of-shop"),
            (TokenRole.MAIN, "of-the-main-account"),
        ]
        assert [path.value for path in added.paths if path.role == PathRole.OWN] == ["/plivo/status"]
        [key] = keys(added)
        assert len(key) == 32
        assert accounts.callback_url("https://landed.test", added) == f"https://landed.test/callbacks/{key}"

    run(database_url, story)


def test_policy_is_the_providers_first_if_none_is_given(database_url: str) -> None:
    async def story(pool: Pool) -> None:
        assert (await add(pool)).policy == "v3-preferred"

    run(database_url, story)


@pytest.mark.parametrize(
    ("changed", "field", "sentence"),
    [
        ({"provider": "plvio"}, "provider", "There is no provider 'plvio'; there are: .*plivo"),
        ({"policy": "lax"}, "policy", "plivo has no policy 'lax'; there are: v3-preferred, v2-only, v3-only, any"),
        ({"name": ""}, "name", "cannot be the name of an account"),
        ({"name": "Shop"}, "name", "cannot be the name of an account"),
        ({"name": "-shop"}, "name", "cannot be the name of an account"),
        ({"name": "shop\n"}, "name", "cannot be the name of an account"),
        ({"name": "s" * 64}, "name", "cannot be the name of an account"),
        ({"provider_account_id": ""}, "provider_account_id", "one word of printable ASCII"),
        ({"auth_token": ""}, "auth_token", "one word of printable ASCII"),
        ({"auth_token": "hunter2 hunter3"}, "auth_token", "one word of printable ASCII"),
        ({"main_token": "hunter2\nhunter3"}, "main_token", "one word of printable ASCII"),
        ({"auth_token": None}, "auth_token", "An account at plivo needs the account's auth token"),
        ({"provider": "routee", "main_token": "hunter2"}, "main_token", "An account at routee has no main token"),
        ({"provider": "routee", "policy": "any"}, "policy", "routee has no policy 'any'; there are: unsigned"),
        ({"basic": "hunter2"}, "basic", "have to be user:password"),
        ({"basic": ":hunter2"}, "basic", "have to be user:password"),
        ({"basic": "user:"}, "basic", "have to be user:password"),
        ({"basic": "user:hunter2\n"}, "basic", "have to be user:password"),
        ({"allowed_addresses": ["203.0.113.7", "203.0.113.7/24"]}, "address", "is no address; give one such as"),
        ({"paths": ["/ok", "/v1/ok"]}, "path", "/v1 is Landed's own"),
    ],
)
def test_bad_account_is_refused_and_nothing_is_kept(
    database_url: str, changed: dict[str, Any], field: str, sentence: str
) -> None:
    async def story(pool: Pool) -> None:
        with pytest.raises(InputInvalid, match=sentence) as refused:
            await add(pool, **changed)

        assert refused.value.field == field
        assert "hunter" not in str(refused.value)
        assert await live(pool) == []

    run(database_url, story)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "//",
        "//evil.test/",
        "plivo/status",
        "https://landed.test/plivo",
        "/plivo?a=b",
        "/plivo#a",
        "/plivo/../v1",
        "/./plivo",
        "/plivo/..",
        "/plivo%2e",
        "/pli vo",
        "/plivo\n",
        "/plivo\x00",
        "/плево",
        "/\\plivo",
        "/" + "a" * 500,
        "/callbacks",
        "/callbacks/x",
        "/v1",
        "/v1/messages",
        "/health/live",
        "/metrics",
        "/docs",
        "/openapi.json",
        "/redoc",
        "/_sim/plivo",
        "/static/app.js",
        "/sign-in",
        "/settings/callbacks",
        "/messages",
        "/verify/",
        "/login",
    ],
)
def test_path_that_cannot_be_an_accounts_own(path: str) -> None:
    with pytest.raises(InputInvalid, match="cannot be a path of an account") as refused:
        accounts.valid_path(path)

    assert refused.value.field == "path"


@pytest.mark.parametrize(
    "path", ["/plivo/status", "/webhooks/plivo.php", "/v10", "/callbacks-old", "/a/", "/a..b", "/~x"]
)
def test_path_that_can_be_an_accounts_own(path: str) -> None:
    assert accounts.valid_path(path) == path


def test_name_and_path_belong_to_one_account(database_url: str) -> None:
    async def story(pool: Pool) -> None:
        first = await add(pool, paths=["/plivo/status"])

        with pytest.raises(InputInvalid, match="There is an account 'shop' already") as refused:
            await add(pool)
        assert refused.value.field == "name"
        with pytest.raises(InputInvalid, match="The path /plivo/status is taken by the account 'shop'"):
            await add(pool, "other", paths=["/free", "/plivo/status"])
        assert await live(pool) == [first]

        await add(pool, "other", paths=["/free"])
        with pytest.raises(InputInvalid, match="The path /free is taken by the account 'other'"):
            await accounts.add_path(pool, SEALER, "shop", "/free")

    run(database_url, story)


def test_two_who_add_the_same_path_at_once_do_not_both_get_it(database_url: str) -> None:
    async def story(pool: Pool) -> None:
        results = await asyncio.gather(
            *(add(pool, name, paths=["/plivo/status"]) for name in ("a", "b", "c")), return_exceptions=True
        )

        assert sum(isinstance(result, Account) for result in results) == 1
        assert sum(isinstance(result, InputInvalid) for result in results) == 2

    run(database_url, story)


def test_removed_path_can_be_taken_by_another(database_url: str) -> None:
    async def story(pool: Pool) -> None:
        await add(pool, paths=["/plivo/status"])
        await accounts.remove_path(pool, SEALER, "shop", "/plivo/status")
        with pytest.raises(NotFound, match="The account 'shop' has no path /plivo/status"):
            await accounts.remove_path(pool, SEALER, "shop", "/plivo/status")

        other = await add(pool, "other", paths=["/plivo/status"])

        assert other.paths[1].value == "/plivo/status"

    run(database_url, story)


def test_account_of_a_provider_that_signs_nothing_needs_no_secret(database_url: str) -> None:
    async def story(pool: Pool) -> None:
        bare = await add(pool, "bare", provider="routee", auth_token=None)
        sending = await add(pool, "sending", provider="routee", auth_token="secret")
        guarded = await add(
            pool, "guarded", provider="routee", auth_token=None, basic="user:pass word", allowed_addresses=["10.0.0.1"]
        )

        assert (bare.policy, bare.tokens, bare.allowed_addresses) == ("unsigned", (), ())
        assert [(token.role, token.value) for token in sending.tokens] == [(TokenRole.ACCOUNT, "secret")]
        assert [(token.role, token.value) for token in guarded.tokens] == [(TokenRole.BASIC, "user:pass word")]
        assert guarded.allowed_addresses == ("10.0.0.1",)
        await accounts.expire_token(
            pool, SEALER, PROVIDERS, "sending", sending.tokens[0].id, keep_for=timedelta(0), now=NOW
        )
        assert (await live(pool))[2].tokens == ()

    run(database_url, story)


def test_credentials_of_callers_come_and_go_beside_the_auth_tokens(database_url: str) -> None:
    async def story(pool: Pool) -> None:
        await add(pool)
        with pytest.raises(InputInvalid, match="have to be user:password"):
            await accounts.add_token(pool, SEALER, PROVIDERS, "shop", "word", role=TokenRole.BASIC, now=NOW)
        new = await accounts.add_token(pool, SEALER, PROVIDERS, "shop", "user:word", role=TokenRole.BASIC, now=NOW)

        shown = (await live(pool))[0]
        assert [token.role for token in shown.tokens] == [TokenRole.ACCOUNT, TokenRole.BASIC]
        with pytest.raises(InputInvalid, match="is the last of the account"):
            await accounts.expire_token(pool, SEALER, PROVIDERS, "shop", shown.tokens[0].id, keep_for=HOUR, now=NOW)
        await accounts.expire_token(pool, SEALER, PROVIDERS, "shop", new, keep_for=timedelta(0), now=NOW)
        assert [token.role for token in (await live(pool))[0].tokens] == [TokenRole.ACCOUNT]

    run(database_url, story)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (" 203.0.113.7 ", "203.0.113.7"),
        ("203.0.113.7/32", "203.0.113.7"),
        ("203.0.113.0/24", "203.0.113.0/24"),
        ("203.0.113.0/255.255.255.0", "203.0.113.0/24"),
        ("2001:DB8:0::7", "2001:db8::7"),
        ("2001:db8::/32", "2001:db8::/32"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("CallbacksAllow.Routee.net.", "callbacksallow.routee.net"),
    ],
)
def test_address_is_kept_in_one_spelling(given: str, kept: str) -> None:
    assert accounts.valid_address(given) == kept


@pytest.mark.parametrize(
    "text", ["", "anywhere", "203.0.113", "203.0.113.7/24", "203.0.113.7:80", "a b.example", "http://a.b"]
)
def test_address_with_a_typing_error_is_refused(text: str) -> None:
    with pytest.raises(InputInvalid, match="is no address") as refused:
        accounts.valid_address(text)

    assert refused.value.field == "address"


def test_addresses_come_and_go(database_url: str) -> None:
    async def story(pool: Pool) -> None:
        await add(pool)
        for address in ("203.0.113.7", "CALLBACKS.example.com", "203.0.113.7"):
            await accounts.allow(pool, "shop", address)

        assert (await live(pool))[0].allowed_addresses == ("callbacks.example.com", "203.0.113.7")
        left = await accounts.disallow(pool, SEALER, "shop", "callbacks.example.com", now=NOW)
        assert left.allowed_addresses == ("203.0.113.7",)
        with pytest.raises(NotFound, match=r"callbacks\.example\.com is not among the addresses"):
            await accounts.disallow(pool, SEALER, "shop", "callbacks.example.com", now=NOW)

    run(database_url, story)


def test_rotated_keys_are_both_live_for_a_while(database_url: str) -> None:
    async def story(pool: Pool) -> None:
        [first] = keys(await add(pool))

        rotated = await accounts.rotate_key(pool, SEALER, "shop", keep_for=HOUR, now=NOW)

        old, new = keys(rotated)
        assert old == first != new
        assert accounts.callback_url("https://landed.test", rotated).endswith(new)
        assert keys((await live(pool, NOW + HOUR - timedelta(seconds=1)))[0]) == [old, new]
        assert keys((await live(pool, NOW + HOUR))[0]) == [new]

    run(database_url, story)


def test_rotating_again_does_not_keep_the_oldest_key_longer(database_url: str) -> None:
    async def story(pool: Pool) -> None:
        [first] = keys(await add(pool))
        await accounts.rotate_key(pool, SEALER, "shop", keep_for=HOUR, now=NOW)

        await accounts.rotate_key(pool, SEALER, "shop", keep_for=10 * HOUR, now=NOW)

        assert first not in keys((await live(pool, NOW + 2 * HOUR))[0])
        assert len(keys((await live(pool, NOW + 2 * HOUR))[0])) == 2

    run(database_url, story)


def test_rotated_tokens_are_both_live_for_a_while(database_url: str) -> None:
    async def story(pool: Pool) -> None:
        old = (await add(pool)).tokens[0].id
        with pytest.raises(InputInvalid, match="has this token already"):
            await accounts.add_token(pool, SEALER, PROVIDERS, "shop", "token-of-shop", role=TokenRole.ACCOUNT, now=NOW)
        new = await accounts.add_token(pool, SEALER, PROVIDERS, "shop", "newer", role=TokenRole.ACCOUNT, now=NOW)

        await accounts.expire_token(pool, SEALER, PROVIDERS, "shop", old, keep_for=HOUR, now=NOW)

        assert [token.value for token in (await live(pool))[0].tokens] == ["token-of-shop", "newer"]
        assert [token.id for token in (await live(pool, NOW + HOUR))[0].tokens] == [new]

    run(database_url, story)


def test_last_token_that_stays_cannot_be_expired(database_url: str) -> None:
    async def story(pool: Pool) -> None:
        old = (await add(pool, main_token="main")).tokens[0].id
        with pytest.raises(InputInvalid, match=f"Token {old} is the last of the account 'shop'"):
            await accounts.expire_token(pool, SEALER, PROVIDERS, "shop", old, keep_for=HOUR, now=NOW)

        new = await accounts.add_token(pool, SEALER, PROVIDERS, "shop", "newer", role=TokenRole.ACCOUNT, now=NOW)
        await accounts.expire_token(pool, SEALER, PROVIDERS, "shop", old, keep_for=HOUR, now=NOW)
        with pytest.raises(InputInvalid, match="is the last"):
            await accounts.expire_token(pool, SEALER, PROVIDERS, "shop", new, keep_for=HOUR, now=NOW)

    run(database_url, story)


def test_token_of_another_account_is_not_found(database_url: str) -> None:
    async def story(pool: Pool) -> None:
        await add(pool)
        other = (await add(pool, "other")).tokens[0].id

        with pytest.raises(NotFound, match=f"The account 'shop' has no live token {other}"):
            await accounts.expire_token(pool, SEALER, PROVIDERS, "shop", other, keep_for=HOUR, now=NOW)

    run(database_url, story)


def test_policy_changes_to_another_of_the_provider_and_to_no_other(database_url: str) -> None:
    async def story(pool: Pool) -> None:
        await add(pool, policy="any")
        await add(pool, "other", policy="any")

        changed = await accounts.set_policy(pool, SEALER, PROVIDERS, "shop", "v3-only", now=NOW)
        with pytest.raises(InputInvalid, match="plivo has no policy 'lax'; there are: v3-preferred") as refused:
            await accounts.set_policy(pool, SEALER, PROVIDERS, "shop", "lax", now=NOW)

        assert refused.value.field == "policy"
        assert changed.policy == "v3-only"
        assert [(account.name, account.policy) for account in await live(pool)] == [
            ("other", "any"),
            ("shop", "v3-only"),
        ]

    run(database_url, story)


def test_disabled_account_is_not_live_and_comes_back(database_url: str) -> None:
    async def story(pool: Pool) -> None:
        added = await add(pool)

        await account_rows.disable(pool, "shop", NOW)
        assert await live(pool) == []
        assert [account.disabled_at for account in await account_rows.every(pool, SEALER, NOW)] == [NOW]

        await account_rows.enable(pool, "shop")
        assert await live(pool) == [added]

    run(database_url, story)


def test_unknown_account_is_a_sentence(database_url: str) -> None:
    async def story(pool: Pool) -> None:
        with pytest.raises(NotFound, match="There is no account 'nobody'; `landed accounts list` shows"):
            await accounts.rotate_key(pool, SEALER, "nobody", keep_for=HOUR, now=NOW)

    run(database_url, story)


def test_every_change_is_told(database_url: str) -> None:
    async def story(pool: Pool) -> None:
        listener = await psycopg.AsyncConnection.connect(database_url, autocommit=True)
        await listener.execute(f"LISTEN {account_rows.CHANGED}")

        async def told(change: Awaitable[object]) -> bool:
            await change
            return bool([note async for note in listener.notifies(timeout=5, stop_after=1)])

        assert await told(add(pool, paths=["/a"]))
        assert await told(accounts.add_token(pool, SEALER, PROVIDERS, "shop", "new", role=TokenRole.ACCOUNT, now=NOW))
        assert await told(accounts.expire_token(pool, SEALER, PROVIDERS, "shop", 1, keep_for=HOUR, now=NOW))
        assert await told(accounts.rotate_key(pool, SEALER, "shop", keep_for=HOUR, now=NOW))
        assert await told(accounts.set_policy(pool, SEALER, PROVIDERS, "shop", "v3-only", now=NOW))
        assert await told(accounts.add_path(pool, SEALER, "shop", "/b"))
        assert await told(accounts.remove_path(pool, SEALER, "shop", "/b"))
        assert await told(accounts.allow(pool, "shop", "203.0.113.7"))
        assert await told(accounts.disallow(pool, SEALER, "shop", "203.0.113.7", now=NOW))
        assert await told(account_rows.disable(pool, "shop", NOW))
        assert await told(account_rows.enable(pool, "shop"))
        await listener.close()

    run(database_url, story)


def test_another_secret_key_is_refused_before_anything_is_sealed_with_it(database_url: str) -> None:
    async def story(pool: Pool) -> None:
        other = Sealer("another secret key, as long as that")
        await account_rows.prove_key(pool, other)  # nothing is there yet that it could not open
        await add(pool)

        with pytest.raises(SettingInvalid, match="LANDED_SECRET_KEY does not fit this database"):
            await account_rows.prove_key(pool, other)

    run(database_url, story)


def test_tokens_keys_and_paths_show_in_no_repr(database_url: str) -> None:
    async def story(pool: Pool) -> None:
        added = await add(pool, main_token="main-token", paths=["/plivo/status"])

        assert not any(secret in repr(added) for secret in ("token-of-shop", "main-token", keys(added)[0]))

    run(database_url, story)
