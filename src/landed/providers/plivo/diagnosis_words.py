"""How a diagnosis is told: for each cause what happened and what to do, joined into one sentence."""

from typing import TYPE_CHECKING, Final

from landed.domain.diagnoses import Case, Finding
from landed.providers import url_variations

if TYPE_CHECKING:
    from landed.providers.plivo.diagnosis import Hit

#: Several of these together are told as one.
_OF_ORIGIN: Final = frozenset({"scheme", "host", "host_www", "host_case", "port"})
_ORIGIN: Final = "_origin"

#: Cause -> what happened, and what to change. Texts in braces are filled in by `_values`.
_SAYS: Final[dict[str, tuple[str, str]]] = {
    # the URL
    _ORIGIN: (
        "Plivo signed a URL that begins with {signed_origin}, and Landed checks one with {our_origin}",
        "set LANDED_PUBLIC_URL to {signed_public_url}, or give Plivo the callback URL that `landed accounts show"
        " {account}` prints",
    ),
    "scheme": (
        "Plivo signed a URL that begins with {signed_scheme}://, and Landed checks one with {our_scheme}://",
        "give Plivo the callback URL with {our_scheme}://, or set LANDED_PUBLIC_URL to {signed_public_url}",
    ),
    "host": (
        "Plivo signed a URL of {signed_host}, and Landed checks one of {our_host}",
        "set LANDED_PUBLIC_URL to {signed_public_url}, or change the callback URL at Plivo",
    ),
    "host_www": (
        "Plivo signed a URL of {signed_host}, and Landed checks one of {our_host}",
        "write both with or both without www.: set LANDED_PUBLIC_URL to {signed_public_url}, or change the callback URL"
        " at Plivo",
    ),
    "host_case": (
        "Plivo signed the host as it is typed in its console, {signed_host}, and Landed checks {our_host}",
        "write it in the same letters: change the callback URL at Plivo, or set LANDED_PUBLIC_URL to"
        " {signed_public_url}",
    ),
    "port": (
        "Plivo signed a URL with {signed_port}, and Landed checks one with {our_port}",
        "set LANDED_PUBLIC_URL to {signed_public_url}, or change the callback URL at Plivo",
    ),
    "trailing_slash": (
        "Plivo signed a URL {signed_slash} a slash at the end, and the request came {our_slash} it",
        "write the callback URL at Plivo exactly as Landed shows it, and let no proxy add or take away a slash",
    ),
    "double_slash": (
        "Plivo signed a path with other slashes in it than the request that came",
        "take the double slash out of the callback URL at Plivo, or stop the proxy from merging slashes",
    ),
    "path_prefix": (
        "{prefix_what}",
        "{prefix_advice}",
    ),
    "path_rewritten": (
        "the proxy in front gives Landed another path than the one that Plivo called and signed",
        "let the proxy pass the path on as it is",
    ),
    "path_encoding": (
        "the path was percent-encoded in another way when Plivo signed it",
        "write the callback URL at Plivo without percent signs, or stop the proxy from decoding the path",
    ),
    "other_url": (
        "Plivo signed for another address, {signed_origin}",
        "change the callback URL at Plivo to the one that `landed accounts show {account}` prints, or let"
        " LANDED_PUBLIC_URL and the proxy's paths be those of that address",
    ),
    "query_in_base": (
        "V2 was signed over the URL with its query, which Plivo leaves out",
        "sign scheme, host and path alone in the program that made this request",
    ),
    "query_lost": (
        "the query that Plivo signed did not arrive, or arrived changed",
        "let the proxy pass the query on as it is",
    ),
    "query_added": (
        "the query has fields that Plivo did not sign",
        "let no proxy add anything to the query",
    ),
    "query_plus": (
        "a plus in the query was taken for a space on its way",
        "stop the proxy from decoding the query: %2B has to stay %2B",
    ),
    "query_encoding": (
        "the query was decoded or encoded once more on its way",
        "let the proxy pass the query on as it is",
    ),
    "query_blank_dropped": ("fields without a value were taken out of the query", "let the proxy pass it on as it is"),
    "query_trimmed": ("spaces or line ends were taken off a value in the query", "let the proxy pass it on as it is"),
    "query_encoded_twice": ("the query was encoded twice on its way", "let the proxy pass the query on as it is"),
    "query_charset": ("the query was written in another charset on its way", "let the proxy pass it on as it is"),
    "query_newlines": ("line ends in the query were changed on its way", "let the proxy pass it on as it is"),
    "method": (
        "Plivo sent it with another method, and it arrived as {method}",
        "stop the proxy from changing the method: give Plivo the URL to which it redirects",
    ),
    # the token
    "token_expired": (
        "it is signed with {token}, which has expired",
        "let Plivo use the new token, or add that one again with `landed accounts add-token {account}`",
    ),
    "token_of_other_account": (
        "it is signed with {token} of the account {other_account}",
        "give Plivo the callback URL of {other_account}, or add that token with `landed accounts add-token {account}`",
    ),
    "token_of_main_account": (
        "it is signed with the main account's token, which Landed keeps for {other_account} only",
        "add it with `landed accounts add-token {account} --main-token-file FILE`",
    ),
    "token_edges": (
        "{token} differs from the one that signs in blanks, line ends or quotes around it",
        "copy it anew without them, on both sides: `landed accounts add-token {account}`",
    ),
    "no_token": (
        "the account has no live token to check a signature with",
        "add one with `landed accounts add-token {account} --auth-token-file FILE`",
    ),
    # the headers
    "signature_missing": (
        "no X-Plivo-Signature header arrived",
        "let the proxy in front pass all X-Plivo-Signature headers on; without a proxy it did not come from Plivo",
    ),
    "signature_truncated": (
        "the end of the signature in {header} is cut off",
        "let the proxy pass headers of any length on",
    ),
    "signature_padding": ("the = at the end of {header} is lost", "let the proxy pass the header on as it is"),
    "signature_url_safe": (
        "{header} is written in the URL-safe alphabet, with - and _ for + and /",
        "let the proxy pass the header on as it is, or sign with standard base64",
    ),
    "signature_escaped": (
        "{header} was percent-encoded or decoded on its way",
        "let the proxy pass the header on as it is",
    ),
    "signature_wrapped": ("{header} has blanks or quotes around it", "let the proxy pass the header on as it is"),
    "signature_case": ("{header} lost its capital letters", "let the proxy pass the header on as it is"),
    "signature_encoding": (
        "{header} holds the right signature in another encoding than base64",
        "write it in standard base64 in the program that made this request",
    ),
    "signature_family": (
        "{header} holds a signature of the other version",
        "let each header keep its own value: V2 and V3 are computed differently",
    ),
    "nonce_missing": (
        "the nonce header that belongs to the signature did not arrive",
        "let the proxy pass X-Plivo-Signature-V2-Nonce and X-Plivo-Signature-V3-Nonce on",
    ),
    "nonce_altered": (
        "the nonce was changed on its way",
        "let the proxy pass the nonce headers on as they are, digit for digit",
    ),
    "policy": (
        "{header} holds, and the account's policy {policy} does not take it",
        "choose another policy with `landed accounts set-policy {account} {policy_advice}`",
    ),
    "v3_mismatch": (
        "V2 proves that Plivo called this address, but V3, which covers the fields, matches nothing that was tried",
        "see whether a proxy changes the body, and add the main account's token if it is missing; only if no V3"
        " signature of yours ever holds, `landed accounts set-policy {account} v2-only`",
    ),
    "v3_style": (
        "V3 was signed over other parts of the request than Plivo signs",
        "sign query and fields in the program that made this request as Plivo's SDK does",
    ),
    # the body
    "body_plus": (
        "a plus in the body was decoded on its way, so that it reads as a space",
        "let the proxy pass the body on byte for byte: %2B has to stay %2B",
    ),
    "body_encoded_twice": ("the body was encoded twice on its way", "let the proxy pass it on byte for byte"),
    "body_charset": ("the body was written in another charset on its way", "let the proxy pass it on byte for byte"),
    "body_bom": ("a byte order mark was put in front of the body", "let the proxy pass it on byte for byte"),
    "body_whitespace": ("a line end or blanks were added around the body", "let the proxy pass it on byte for byte"),
    "body_newlines": ("line ends within the body were changed on its way", "let the proxy pass it on byte for byte"),
    "body_trimmed": (
        "spaces or line ends were taken off {notes}",
        "stop the proxy from trimming the fields: it has to pass the body on byte for byte",
    ),
    "body_blank_dropped": (
        "fields without a value were taken out of the body ({notes})",
        "let the proxy pass the body on byte for byte, empty fields too",
    ),
    "body_added": ("the body has fields that Plivo did not sign ({notes})", "stop the proxy from adding them"),
    "body_json": (
        "the body was made JSON on its way, or is called a form although it is JSON",
        "let the proxy pass the form on byte for byte, with its Content-Type",
    ),
    "body_content_type": (
        "the body is the form that Plivo signed, but its Content-Type says JSON",
        "let the proxy pass Content-Type on as it is",
    ),
    "body_lost": (
        "V2 proves that Plivo called this address, but the fields that V3 covers did not arrive",
        "give Plivo the URL to which the proxy redirects, and let it pass the body on",
    ),
    "body_truncated": (
        "only {body_kept} of the {body_bytes} bytes of the body are here, so that V3 cannot hold",
        "see what cuts the body off between Plivo and Landed",
    ),
    "body_not_kept": (
        "only the first {body_kept} of the {body_bytes} bytes of this refused body were kept, so that V3 cannot be"
        " tried any more",
        "take the whole request from the proxy's log and give it to `landed callbacks doctor --curl FILE`",
    ),
    "accepted_now": (
        "it holds with the tokens and the public URL of now",
        "take it in with `landed callbacks replay ID`",
    ),
}


def proven(hit: "Hit", case: Case, *, is_proven: bool = True) -> Finding:
    """What a match tells."""
    causes = hit.causes or ("accepted_now",)
    values = _values(hit, case)
    details = [
        f"{values['header']} holds with {values['token']} of the account {hit.token.account}.",
        f"Signed: {hit.claim.method} {hit.claim.url}",
    ]
    if hit.claim.url != case.request.url or hit.claim.method != case.request.method:
        details.append(f"Checked: {case.request.method} {case.request.url}")
    if hit.claim.notes:
        details.append(f"Changed: {', '.join(hit.claim.notes)}")
    return Finding(causes=causes, sentence=_sentence(causes, values), details=tuple(details), is_proven=is_proven)


def observed(cause: str, case: Case) -> Finding:
    """What is seen without any match."""
    return Finding(causes=(cause,), sentence=_sentence((cause,), _common(case)))


def _sentence(causes: tuple[str, ...], values: dict[str, str]) -> str:
    if len(_OF_ORIGIN.intersection(causes)) > 1:
        causes = (_ORIGIN, *(cause for cause in causes if cause not in _OF_ORIGIN))
    said = [_SAYS[cause] for cause in dict.fromkeys(causes)]
    whats = [what.format_map(values) for what, _ in said]
    advices = [advice.format_map(values) for _, advice in said]
    text = f"{'; besides, '.join(whats)}: {'; and '.join(advices)}."
    return text[0].upper() + text[1:]


def _values(hit: "Hit", case: Case) -> dict[str, str]:
    signed, ours = hit.claim.address, url_variations.address(case.request.url)
    what, advice = _prefix(signed.path, ours.path, signed.origin)
    public_path = url_variations.address(case.public_url).path if case.public_url else ""
    return _common(case) | {
        "signed_scheme": signed.scheme,
        "our_scheme": ours.scheme,
        "signed_host": signed.host,
        "our_host": ours.host,
        "signed_port": f"the port {signed.port}" if signed.port else "no port",
        "our_port": f"the port {ours.port}" if ours.port else "none",
        "signed_origin": signed.origin,
        "our_origin": ours.origin,
        "signed_public_url": signed.origin + public_path.rstrip("/"),
        "signed_slash": "with" if signed.path.endswith("/") else "without",
        "our_slash": "without" if signed.path.endswith("/") else "with",
        "prefix_what": what,
        "prefix_advice": advice,
        "token": hit.token.label,
        "other_account": hit.token.account,
        "header": hit.header.title(),
        "policy_advice": "v3-preferred" if case.policy != "v3-preferred" else "any",
        "notes": ", ".join(hit.claim.notes) or "a field",
    }


def _common(case: Case) -> dict[str, str]:
    announced = case.request.headers.get("content-length", "")
    return {
        "account": case.account or "NAME",
        "policy": case.policy,
        "method": case.request.method,
        "body_kept": str(len(case.request.body)),
        "body_bytes": str(max(case.body_bytes, int(announced) if announced.isdecimal() else 0)),
    }


def _prefix(signed: str, ours: str, origin: str) -> tuple[str, str]:
    if len(signed) > len(ours) and signed.endswith(ours):
        prefix = signed.removesuffix(ours)
        return (
            f"Plivo signed a path that begins with {prefix}, which did not arrive",
            f"set LANDED_PUBLIC_URL to {origin}{prefix}, or stop the proxy from taking {prefix} away",
        )
    if ours.endswith(signed):
        prefix = ours.removesuffix(signed)
        return (
            f"Landed checks a path that begins with {prefix}, which Plivo did not call",
            f"take {prefix} out of LANDED_PUBLIC_URL, or stop the proxy from adding it",
        )
    return "Plivo signed a path with another beginning", "let the proxy pass the path on as it is"
