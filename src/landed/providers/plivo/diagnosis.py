"""Why a signature of Plivo's does not hold: signs what may have been sent instead, until a signature is the one given.

A match proves that change, for nobody else can sign: what is forged matches nothing. Changes are tried one by one, then
two of different kinds together, with the account's tokens, those it had, and those of other accounts.
"""

import base64
import contextlib
import hmac
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, islice
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, quote, unquote, unquote_plus, urlencode

from landed.domain.callbacks import CallbackRequest
from landed.domain.diagnoses import Case, Finding, KnownToken, Standing
from landed.domain.errors import CallbackMalformed
from landed.providers import field_variations, forms, url_variations
from landed.providers.field_variations import Pairs
from landed.providers.plivo import callbacks, diagnosis_words, signatures
from landed.providers.plivo.signatures import MA_V2, MA_V3, V2, V2_NONCE, V3, V3_NONCE, Policy
from landed.providers.url_variations import Address

#: What Plivo may send without a value, and programs then drop.
_BLANK_NAMES: Final = ("ErrorCode", "MCC", "MNC", "PowerpackUUID", "ParentMessageUUID", "Text", "ChannelErrorCode")
#: Of the fields of each kind of callback one, in lower case and without underscores.
_NAMES: Final = frozenset({"messageuuid", "sessionuuid", "brandid", "campaignid", "number", "phonenumber"})
#: Two changes at once are tried up to here, which takes a second; with very many fields fewer, as each takes longer.
_PAIRS_MAX: Final = 15_000
_PAIRS_MAX_OF_LARGE: Final = 2_000
_LARGE_BYTES: Final = 4_000
#: Tokens of other accounts are tried with every single change only where there are few of them.
_OTHER_TOKENS_MAX: Final = 20
#: Of a signature that was cut off so many characters are enough to know it: 96 of 256 bits.
_SIGNATURE_CHARACTERS_MIN: Final = 16
_SIGNATURE_CHARACTERS: Final = 44


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What Plivo may have signed, and in what it differs from what came."""

    address: Address
    query: str
    method: str
    fields: Pairs | None  #: of the body; None: they cannot be read
    style: str = ""
    causes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()  #: what was changed, by name

    @property
    def url(self) -> str:
        return f"{self.address}{'?' if self.query else ''}{self.query}"


class _Change(NamedTuple):
    """`axis`: two changes of one kind are never made together."""

    axis: str
    causes: tuple[str, ...]
    values: Mapping[str, Any]
    note: str = ""

    @property
    def is_common(self) -> bool:
        """Whether it is tried together with others: what happens rarely, and can in hundreds of ways, is not."""
        return " and " not in self.note and "body_trimmed" not in self.causes


class _Key(NamedTuple):
    """A token to sign with, perhaps not written as it is kept."""

    value: str
    token: KnownToken
    causes: tuple[str, ...] = ()


class Hit(NamedTuple):
    """A claim whose signature is the one given in `header`."""

    claim: Claim
    token: KnownToken
    header: str
    causes: tuple[str, ...]  #: all of them, those of the claim first


class _Given:
    """The signatures and nonces of a request, as they are and as they may have been before somebody touched them."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.by_header = {name: headers[name] for name in (V3, MA_V3, V2, MA_V2) if headers.get(name)}
        self.exact: dict[str, tuple[str, str | None]] = {}
        self.cut: list[tuple[str, str]] = []
        self.small: dict[str, str] = {}
        for name, value in self.by_header.items():
            for member in [value, *value.split(",")]:
                self._enter(name, member)
        own = {"v2": headers.get(V2_NONCE), "v3": headers.get(V3_NONCE)}
        self.own = {family: nonce for family, nonce in own.items() if nonce}
        altered = {other for nonce in self.own.values() for other in _nonces(nonce)}
        self.others = [nonce for nonce in sorted(altered) if nonce not in self.own.values()]
        self.families = [family for family in ("v3", "v2") if any(_family(name) == family for name in self.by_header)]

    def _enter(self, name: str, value: str) -> None:
        for cause, repaired in _repairs(value):
            self.exact.setdefault(repaired, (name, cause))
        bare = value.strip(" \t\"'")
        if _SIGNATURE_CHARACTERS_MIN <= len(bare) < _SIGNATURE_CHARACTERS:
            self.cut.append((bare, name))
        self.small.setdefault(bare.lower(), name)

    def match(self, expected: str) -> tuple[str, str | None] | None:
        """The header that holds this signature, and what happened to it."""
        if found := self.exact.get(expected):
            return found
        for beginning, name in self.cut:
            if expected.startswith(beginning):
                return name, "signature_truncated"
        name_of_small = self.small.get(expected.lower())
        return (name_of_small, "signature_case") if name_of_small else None


def diagnose(case: Case) -> Sequence[Finding]:
    """What explains the refusal, the likeliest first; nothing where no change makes a signature match.

    Findings that are not proven are observations: a header is missing, say.
    """
    given = _Given(case.request.headers)
    if not given.by_header:
        return [diagnosis_words.observed("signature_missing", case)]
    if not any(token.standing is Standing.LIVE and token.account == case.account for token in case.tokens):
        return [diagnosis_words.observed("no_token", case)]
    found, beside = _search(case, given)
    if found:
        return [diagnosis_words.proven(each, case) for each in found]
    findings = []
    if beside is not None:
        findings.append(_other_family(beside, case, given))
    missing = [family for family in given.families if family not in given.own]
    if missing and not beside:
        findings.append(diagnosis_words.observed("nonce_missing", case))
    if _is_cut(case) and "v3" in given.families and not beside:
        findings.append(diagnosis_words.observed(_cut_cause(case), case))
    return findings


def _search(case: Case, given: _Given) -> tuple[list[Hit], Hit | None]:
    """The simplest explanations, and a match of the family that the account's policy does not ask for."""
    base = _claim(case.request)
    changes = list(_changes(case, base))
    keys = list(_keys(case.tokens))
    own = [key for key in keys if key.token.standing is not Standing.OTHER]
    as_kept = [key for key in own if "token_edges" not in key.causes]
    is_large = len(case.request.body) + len(case.request.url) > _LARGE_BYTES
    pairs_max = _PAIRS_MAX_OF_LARGE if is_large else _PAIRS_MAX
    beside: Hit | None = None
    common = [change for change in changes if change.is_common]
    pairs = (each for each in combinations(common, 2) if each[0].axis != each[1].axis)
    levels: Sequence[tuple[Iterable[Claim], Sequence[_Key], bool]] = (
        ([base], keys, True),
        (
            (_changed(base, change) for change in changes),
            keys if len(keys) - len(own) <= _OTHER_TOKENS_MAX else own,
            True,
        ),
        ((_changed(base, *pair) for pair in islice(pairs, pairs_max)), as_kept, False),
    )
    for claims, with_keys, is_thorough in levels:
        hits: list[Hit] = []
        for claim in claims:
            for hit in _hits(claim, with_keys, given, is_thorough=is_thorough):
                if _is_admitted(hit, case.policy, given):
                    hits.append(hit)
                elif beside is None or len(hit.causes) < len(beside.causes):
                    beside = hit
        if hits:
            return _simplest(hits), None
    return [], beside


def _hits(claim: Claim, keys: Sequence[_Key], given: _Given, *, is_thorough: bool) -> Iterator[Hit]:
    for key in keys:
        for family in ("v2", "v3") if is_thorough else given.families:
            nonces = dict.fromkeys([*given.own.values(), *given.others]) if is_thorough else [given.own.get(family, "")]
            for nonce in nonces:
                expected = _signature(claim, family, nonce, key.value)
                if expected is None or (match := given.match(expected)) is None:
                    continue
                header, repair = match
                causes = [*claim.causes]
                if _family(header) != family:
                    causes.append("signature_family")
                elif nonce != given.own.get(family):
                    causes.append("nonce_altered" if family in given.own else "nonce_missing")
                causes += [repair] if repair else []
                yield Hit(claim, key.token, header, (*causes, *_token_causes(key, header)))


def _token_causes(key: _Key, header: str) -> tuple[str, ...]:
    if key.token.standing is Standing.OTHER and header in (MA_V2, MA_V3):
        return ("token_of_main_account",)
    return key.causes


def _is_admitted(hit: Hit, policy: str, given: _Given) -> bool:
    """Whether the door would let it in, were it as the claim says."""
    if "signature_family" in hit.causes or policy == Policy.ANY:
        return True
    family = _family(hit.header)
    if policy == Policy.V3_PREFERRED:
        return family == "v3" or "v3" not in given.families
    return family == ("v2" if policy == Policy.V2_ONLY else "v3")


def _simplest(hits: Sequence[Hit]) -> list[Hit]:
    """Those with the fewest changes, one for each set of causes; what signs most comes first."""
    fewest = min(len(hit.causes) for hit in hits)
    unique: dict[tuple[str, ...], Hit] = {}
    for hit in hits:
        if len(hit.causes) == fewest:
            unique.setdefault(hit.causes, hit)
    return list(unique.values())[:5]


def _other_family(hit: Hit, case: Case, given: _Given) -> Finding:
    """One family proves who sent it, and the policy asks for the other: it is missing, or does not hold."""
    wanted = "v2" if _family(hit.header) == "v3" else "v3"
    if wanted not in given.families:
        return diagnosis_words.proven(hit._replace(causes=(*hit.causes, "policy")), case)
    request = case.request
    if wanted == "v3" and not hit.causes:
        if _is_cut(case):
            return diagnosis_words.proven(hit._replace(causes=(_cut_cause(case),)), case, is_proven=False)
        if not request.body and not _has_fields(request):
            return diagnosis_words.proven(hit._replace(causes=("body_lost",)), case, is_proven=False)
    if wanted not in given.own:
        return diagnosis_words.proven(hit._replace(causes=(*hit.causes, "nonce_missing")), case, is_proven=False)
    cause = "v3_mismatch" if wanted == "v3" else "policy"
    return diagnosis_words.proven(hit._replace(causes=(*hit.causes, cause)), case, is_proven=False)


def _has_fields(request: CallbackRequest) -> bool:
    """Whether what Plivo calls back with is in the query, as with GET; an address may have a query of its own."""
    if request.method != "GET":
        return False
    names = [name for name, _ in parse_qsl(request.url.partition("?")[2], keep_blank_values=True)]
    return not _NAMES.isdisjoint(name.lower().replace("_", "") for name in names)


def _is_cut(case: Case) -> bool:
    return max(case.body_bytes, _announced(case.request)) > len(case.request.body)


def _cut_cause(case: Case) -> str:
    return "body_not_kept" if case.body_bytes > len(case.request.body) else "body_truncated"


def _announced(request: CallbackRequest) -> int:
    length = request.headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() and len(length) < 12 else 0


# --- what may have been signed -----------------------------------------------------------------------------------


def _claim(request: CallbackRequest) -> Claim:
    _, _, query = request.url.partition("#")[0].partition("?")
    fields: Pairs | None
    try:
        fields = [(name, each) for name, values in callbacks.signed_fields(request).items() for each in values]
    except (CallbackMalformed, RecursionError):
        fields = None
    return Claim(address=url_variations.address(request.url), query=query, method=request.method, fields=fields)


def _changes(case: Case, base: Claim) -> Iterator[_Change]:
    request = case.request
    for causes, address in url_variations.origins(base.address, request.headers, case.other_urls):
        yield _Change("origin", causes, {"origin": address})
    for causes, address in url_variations.paths(base.address, request.headers, case.public_url):
        yield _Change("path", causes, {"path": address.path})
    for causes, address in url_variations.elsewhere(base.address, case.other_urls):
        yield _Change("origin", causes, {"address": address})
    if base.query:
        yield _Change("style", ("query_in_base",), {"style": "query_in_base"})
    for causes, query in _queries(case, base):
        yield _Change("fields", causes, {"query": query})
    yield from _methods(request, base)
    for style in ("no_fields", "no_query", "nothing", "question_mark", "dot", "as_query"):
        yield _Change("style", ("v3_style",), {"style": style})
    is_json = request.headers.get("content-type", "").lower().startswith("application/json")
    for cause, fields, note in (
        field_variations.variations(request.body, base.fields, is_json=is_json, blank_names=_BLANK_NAMES)
        if request.body
        else ()
    ):
        yield _Change("fields", (cause,), {"fields": fields}, note)


def _queries(case: Case, base: Claim) -> Iterator[tuple[tuple[str, ...], str]]:
    for query in url_variations.queries_elsewhere(case.request.headers, case.other_urls):
        yield ("query_lost",), query
    if not base.query:
        return
    yield ("query_added",), ""
    for kept in field_variations.with_pluses(base.query.encode()):
        yield ("query_plus",), kept.decode()
    for way in (unquote, unquote_plus, quote):
        yield ("query_encoding",), way(base.query)
    try:
        pairs = forms.pairs(base.query)
    except CallbackMalformed:
        return
    for cause, fields, _ in field_variations.variations(b"", pairs, is_json=False, blank_names=_BLANK_NAMES):
        yield (cause.replace("body_", "query_"),), urlencode(fields)


def _methods(request: CallbackRequest, base: Claim) -> Iterator[_Change]:
    other = "GET" if base.method == "POST" else "POST"
    yield _Change("method", ("method",), {"method": other})
    if base.fields:
        moved = "&".join(each for each in (base.query, urlencode(list(base.fields))) if each)
        yield _Change("method", ("method",), {"method": "GET", "query": moved, "fields": ()})
    elif base.query:
        try:
            yield _Change("method", ("method",), {"method": "POST", "query": "", "fields": forms.pairs(base.query)})
        except CallbackMalformed:
            return


def _changed(base: Claim, *changes: _Change) -> Claim:
    address = base.address
    rest: dict[str, Any] = {}
    for change in changes:
        values = dict(change.values)
        if (whole := values.pop("address", None)) is not None:
            address = whole
        if (origin := values.pop("origin", None)) is not None:
            address = origin._replace(path=address.path)
        if (path := values.pop("path", None)) is not None:
            address = address._replace(path=path)
        rest |= values
    return replace(
        base,
        address=address,
        causes=tuple(cause for change in changes for cause in change.causes),
        notes=tuple(change.note for change in changes if change.note),
        **rest,
    )


def _signature(claim: Claim, family: str, nonce: str, token: str) -> str | None:
    """As Plivo would sign the claim; None where it would not."""
    if not token or not nonce:
        return None
    if family == "v2":
        if claim.style == "query_in_base":
            return _signed(claim.url + nonce, token)
        return signatures.sign_v2(str(claim.address), nonce, token) if not claim.style else None
    if claim.fields is None or claim.method not in ("GET", "POST"):
        return None
    match claim.style:
        case "":
            return signatures.sign_v3(claim.method, claim.url, nonce, token, claim.fields)
        case "no_fields":
            return signatures.sign_v3(claim.method, claim.url, nonce, token)
        case "no_query":
            return signatures.sign_v3(claim.method, str(claim.address), nonce, token, claim.fields)
        case "nothing":
            return signatures.sign_v3(claim.method, str(claim.address), nonce, token)
        case "question_mark":
            return _signed(f"{claim.url}{'' if claim.query else '?'}.{nonce}", token)
        case "dot":
            return _signed(f"{claim.url}..{nonce}", token)
        case "as_query":
            return signatures.sign_v3("GET", claim.url, nonce, token, claim.fields)
    return None


def _signed(text: str, token: str) -> str:
    digest = hmac.digest(token.encode("utf-8", "replace"), text.encode("utf-8", "replace"), "sha256")
    return base64.b64encode(digest).decode()


def _keys(tokens: Sequence[KnownToken]) -> Iterator[_Key]:
    order = list(Standing)
    for token in sorted(tokens, key=lambda each: order.index(each.standing)):
        match token.standing:
            case Standing.EXPIRED:
                yield _Key(token.value, token, ("token_expired",))
            case Standing.OTHER:
                yield _Key(token.value, token, ("token_of_other_account",))
            case Standing.LIVE:
                yield _Key(token.value, token)
    for token in tokens:
        if token.standing is Standing.LIVE:
            for value in _edges(token.value):
                yield _Key(value, token, ("token_edges",))


def _edges(value: str) -> list[str]:
    """The token without what copying added to it, or with what the signer's copy has."""
    bare = value.strip(" \t\r\n\0\ufeff\"'`;,")
    ways = (
        bare,
        value.strip(),
        f"{bare}\n",
        f"{bare}\r\n",
        f"{bare} ",
        f" {bare}",
        f'"{bare}"',
        f"'{bare}'",
        f"{bare};",
    )
    return [way for way in dict.fromkeys((*ways, unquote(value), value.rpartition("=")[2])) if way and way != value]


# --- what happens to headers -------------------------------------------------------------------------------------


def _repairs(value: str) -> Iterator[tuple[str | None, str]]:
    """What a signature may have been, and what would have happened to it."""
    yield None, value
    bare = value.strip(" \t\r\n\"'`")
    yield ("signature_wrapped" if bare != value else None), bare
    yield "signature_padding", _padded(bare)
    yield "signature_url_safe", _padded(bare.translate(str.maketrans("-_", "+/")))
    yield "signature_escaped", unquote(bare)
    yield "signature_escaped", bare.replace(" ", "+")
    yield "signature_escaped", _padded(unquote(bare).replace(" ", "+").translate(str.maketrans("-_", "+/")))
    with contextlib.suppress(ValueError):
        yield "signature_encoding", base64.b64encode(bytes.fromhex(bare)).decode()
    with contextlib.suppress(ValueError):
        yield "signature_encoding", base64.b64decode(bare, validate=True).decode("ascii").strip()


def _padded(value: str) -> str:
    return value.rstrip("=") + "=" * (-len(value.rstrip("=")) % 4)


def _nonces(nonce: str) -> Iterator[str]:
    """What a nonce may have been."""
    for each in (nonce, *nonce.split(",")):
        bare = each.strip(" \t\r\n\"'`")
        yield bare
        yield unquote(bare)
        if bare.isdigit():
            yield bare.zfill(20)
            yield bare.lstrip("0")


def _family(header: str) -> str:
    return "v3" if header in (V3, MA_V3) else "v2"
