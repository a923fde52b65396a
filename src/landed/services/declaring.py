"""What is to be registered for 10DLC, as a file declares it, and the steps from what there is to that.

    account: shop                  # may be left out where one alone can
    profiles:
      acme: {entity_type: PRIVATE, company_name: Acme Inc, vertical: TECHNOLOGY, …}
    brands:
      acme-brand: {profile: acme, brand_type: STANDARD}
    campaigns:
      acme-codes: {brand: acme-brand, use_case: 2FA, …, numbers: ["+14155550100"]}

Everything is called by its alias, which is what it has at the provider, too. The steps follow from the file, from what
the provider lists and from what we asked for: when all is as declared, there are none.
"""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from landed.domain.errors import InputInvalid
from landed.domain.receipts import RegistrationStatus
from landed.domain.words import Word
from landed.services import addressing
from landed.services.registering import Listed, check_campaign
from landed.services.registering_shapes import NewBrand, NewCampaign, NewProfile, Words, differing, fields_of

FILE_BYTES_MAX: Final = 1024 * 1024
#: Deeper than any file of ours.
_DEPTH_MAX: Final = 10

M = TypeVar("M", bound=BaseModel)


class DeclaredCampaign(NewCampaign):
    """A campaign with the numbers that send for it."""

    numbers: list[Words] = Field(default=[], max_length=1000)


class _File(BaseModel):
    """The outermost level. What is below is read thing by thing, so that errors name their place."""

    model_config = ConfigDict(extra="forbid")

    account: Words | None = None
    region: Words | None = None
    profiles: dict[Words, dict[str, Any]] = {}
    brands: dict[Words, dict[str, Any]] = {}
    campaigns: dict[Words, dict[str, Any]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What a file asks for, by alias, in the order in which it is written."""

    account: str | None
    profiles: Mapping[str, NewProfile]
    brands: Mapping[str, NewBrand]
    campaigns: Mapping[str, DeclaredCampaign]


class _Loader(yaml.BaseLoader):
    """Everything is text, so that a number keeps its plus and a postal code its zeros; and no key is written twice."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise InputInvalid(f"Line {key.start_mark.line + 1}: a name has to be a word.", field="file")
            if key.value in seen:
                raise InputInvalid(f"Line {key.start_mark.line + 1}: {key.value!r} is there twice.", field="file")
            seen.add(key.value)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


def read(text: str) -> Declared:
    """What a file declares.

    Raises:
        InputInvalid: it cannot be read, has a name that means nothing, or declares what the registry would refuse;
            names the place, such as `campaigns.acme-codes.description`.
    """
    file = _valid(_File, _content(text), "")
    shared = {"account": file.account} if file.account else {}
    profiles = {
        alias: _valid(NewProfile, {**fields, **shared, "alias": alias}, f"profiles.{alias}.", fields)
        for alias, fields in file.profiles.items()
    }
    brands = {
        alias: _valid(NewBrand, {**fields, **shared, "alias": alias}, f"brands.{alias}.", fields)
        for alias, fields in file.brands.items()
    }
    campaigns = {
        alias: _valid(DeclaredCampaign, {**fields, **shared, "alias": alias}, f"campaigns.{alias}.", fields)
        for alias, fields in file.campaigns.items()
    }
    owners: dict[str, str] = {}
    for alias, campaign in campaigns.items():
        if not campaign.unchecked:
            check_campaign(campaign, f"campaigns.{alias}.")
        place = f"campaigns.{alias}.numbers"
        numbers = [addressing.recipient(each, region=file.region, field=place) for each in campaign.numbers]
        for number in dict.fromkeys(numbers):
            if number in owners:
                raise InputInvalid(
                    f"`{place}`: {number} is among those of {owners[number]!r} as well; a number has one campaign.",
                    field=place,
                )
            owners[number] = alias
        campaigns[alias] = campaign.model_copy(update={"numbers": list(dict.fromkeys(numbers))})
    return Declared(account=file.account, profiles=profiles, brands=brands, campaigns=campaigns)


def _content(text: str) -> Any:
    if len(text.encode()) > FILE_BYTES_MAX:
        raise InputInvalid(f"The file has more than {FILE_BYTES_MAX:,} bytes.", field="file")
    try:
        _refuse_aliases(text)
        content = yaml.load(text, _Loader)  # noqa: S506  it makes text, lists and mappings alone
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"Line {mark.line + 1}: " if mark else ""
        raise InputInvalid(f"{place}{getattr(error, 'problem', None) or 'it'} (not YAML).", field="file") from None
    except RecursionError:
        raise InputInvalid("The file is nested too deeply.", field="file") from None
    if not isinstance(content, dict):
        raise InputInvalid("The file needs `profiles`, `brands` or `campaigns`, each by its name.", field="file")
    return content


def _refuse_aliases(text: str) -> None:
    """YAML's own references can make a small file a huge one."""
    depth = 0
    for event in yaml.parse(text, _Loader):
        if isinstance(event, yaml.AliasEvent):
            line = event.start_mark.line + 1 if event.start_mark else 0
            raise InputInvalid(f"Line {line}: write it out instead of `*{event.anchor}`.", field="file")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEPTH_MAX:
            raise InputInvalid("The file is nested too deeply.", field="file")


def _valid(model: type[M], content: Any, place: str, written: Mapping[str, Any] | None = None) -> M:
    """Raises InputInvalid: names the first wrong place, and what else is wrong."""
    if written is not None and "alias" in written:
        raise InputInvalid(f"`{place}alias`: it is called by the name before the colon already.", field=f"{place}alias")
    if written is not None and "account" in written:
        raise InputInvalid(f"`{place}account`: the account stands at the top of the file.", field=f"{place}account")
    try:
        return model.model_validate(content)
    except ValidationError as error:
        # A name that means nothing explains a field that is missing.
        wrong = sorted(error.errors(include_url=False), key=lambda each: each["type"] != "extra_forbidden")
        told = [_told(model, place, each) for each in wrong]
        text = " ".join(f"`{name}`: {what}." for name, what in told[:5])
        raise InputInvalid(text, field=told[0][0]) from None


def _told(model: type[BaseModel], place: str, error: Any) -> tuple[str, str]:
    path = [str(part) for part in error["loc"]]
    name = place + ".".join(path)
    if error["type"] != "extra_forbidden":
        return name, str(error["msg"])
    known = sorted(set(_fields_at(model, path[:-1])) - {"alias"})
    near = difflib.get_close_matches(path[-1], known, n=1)
    return name, f"There is no such field; {f'did you mean `{near[0]}`' if near else 'there are: ' + ', '.join(known)}"


def _fields_at(model: type[BaseModel], path: Sequence[str]) -> Sequence[str]:
    """The names of the fields where a path leads, through models alone."""
    for part in path:
        field = model.model_fields.get(part)
        inner = next(
            (each for each in _types(field.annotation) if isinstance(each, type) and issubclass(each, BaseModel)), None
        ) if field else None  # fmt: skip
        if inner is None:
            return []
        model = inner
    return [*model.model_fields]


def _types(annotation: Any) -> Iterator[Any]:
    yield annotation
    for each in getattr(annotation, "__args__", ()):
        yield from _types(each)


# --- the steps -----------------------------------------------------------------------------------------------------


class Action(Word):
    """What is to be done about a thing."""

    KEEP = "keep"  #: nothing: it is as declared
    WAIT = "wait"  #: nothing now: it is pending at the registry
    CREATE = "create"
    LINK = "link"
    UNLINK = "unlink"
    LATER = "later"  #: it is to be done once what it belongs to is registered
    BLOCKED = "blocked"  #: somebody has to do something first


class Kind(Word):
    PROFILE = "profile"
    BRAND = "brand"
    CAMPAIGN = "campaign"
    NUMBER = "number"


#: What is done now.
DOING: Final = frozenset({Action.CREATE, Action.LINK, Action.UNLINK})
#: What needs somebody.
BLOCKING: Final = frozenset({Action.BLOCKED})
#: What comes of itself, given time.
COMING: Final = frozenset({Action.WAIT, Action.LATER})


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What is to be done about one thing, and why."""

    action: Action
    kind: Kind
    name: str  #: the alias, or the number
    of: str | None = None  #: of a number: the alias of its campaign
    provider_id: str | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """What there is: as the provider lists it, and what we asked for that it does not list yet."""

    profiles: Sequence[Listed] = ()
    brands: Sequence[Listed] = ()
    campaigns: Sequence[Listed] = ()
    #: By the provider's id of the campaign: the status of each number, and the reason of the last no.
    numbers: Mapping[str, Mapping[str, RegistrationStatus | None]] = field(default_factory=dict)
    #: Of each number that we know of: the campaign that it is linked to.
    linked: Mapping[str, str] = field(default_factory=dict)
    #: What was asked for, by kind and the provider's id.
    asked: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)


def steps(declared: Declared, registered: Registered, *, prune: bool = False) -> list[Step]:
    """What is to be done, in order: what others belong to comes first.

    Args:
        prune: whether to unlink numbers that the file does not have from the campaigns that it has.

    Raises:
        InputInvalid: something is to belong to what is neither declared nor registered.
    """
    found = [_profile(alias, new, registered) for alias, new in declared.profiles.items()]
    done = {(step.kind, step.name): step for step in found}
    for alias, brand in declared.brands.items():
        step = _brand(alias, brand, done, registered)
        done[Kind.BRAND, alias] = step
        found.append(step)
    for alias, campaign in declared.campaigns.items():
        step = _campaign(alias, campaign, done, registered)
        done[Kind.CAMPAIGN, alias] = step
        found.append(step)
    for alias, campaign in declared.campaigns.items():
        found += _numbers(alias, campaign, done[Kind.CAMPAIGN, alias], registered, prune)
    return found


def parent_id(kind: Kind, name: str, registered: Registered) -> str | None:
    """The provider's id of what is called so; None where there is none (yet)."""
    listed = _listed(kind, name, registered)
    return listed.provider_id if listed else None


def _profile(alias: str, new: NewProfile, registered: Registered) -> Step:
    there = _listed(Kind.PROFILE, alias, registered)
    if there is None:
        return Step(action=Action.CREATE, kind=Kind.PROFILE, name=alias, why="there is none of that name")
    return Step(
        action=Action.KEEP,
        kind=Kind.PROFILE,
        name=alias,
        provider_id=there.provider_id,
        why=_difference(Kind.PROFILE, there, new, registered),
    )


def _brand(alias: str, new: NewBrand, done: Mapping[tuple[Kind, str], Step], registered: Registered) -> Step:
    there = _listed(Kind.BRAND, alias, registered)
    if there is not None:
        return _standing(Kind.BRAND, alias, there, new, registered)
    _known(Kind.PROFILE, new.profile, f"brands.{alias}.profile", done, registered)
    return Step(action=Action.CREATE, kind=Kind.BRAND, name=alias, why="there is none of that name")


def _campaign(alias: str, new: DeclaredCampaign, done: Mapping[tuple[Kind, str], Step], registered: Registered) -> Step:
    there = _listed(Kind.CAMPAIGN, alias, registered)
    if there is not None:
        step = _standing(Kind.CAMPAIGN, alias, there, new, registered)
        if step.action is not Action.CREATE:
            return step
    _known(Kind.BRAND, new.brand, f"campaigns.{alias}.brand", done, registered)
    brand = _listed(Kind.BRAND, new.brand, registered)
    if brand is not None and brand.status is RegistrationStatus.REGISTERED:
        return Step(action=Action.CREATE, kind=Kind.CAMPAIGN, name=alias, why="there is none of that name")
    return _after(Kind.CAMPAIGN, alias, done.get((Kind.BRAND, new.brand)), f"brand {new.brand}")


def _numbers(alias: str, campaign: DeclaredCampaign, step: Step, registered: Registered, prune: bool) -> Iterator[Step]:
    linked = registered.numbers.get(step.provider_id or "", {})
    for number in campaign.numbers:
        yield _number(alias, number, step, linked, registered)
    for number, status in linked.items():
        if number not in campaign.numbers:
            action = Action.UNLINK if prune else Action.KEEP
            why = f"{status or 'linked'}, and not in the file"
            yield Step(action=action, kind=Kind.NUMBER, name=number, of=alias, provider_id=step.provider_id, why=why)


def _number(
    alias: str, number: str, step: Step, linked: Mapping[str, RegistrationStatus | None], registered: Registered
) -> Step:
    def told(action: Action, why: str) -> Step:
        return Step(action=action, kind=Kind.NUMBER, name=number, of=alias, provider_id=step.provider_id, why=why)

    elsewhere = registered.linked.get(number)
    if number in linked:
        status = linked[number]
        if status is RegistrationStatus.LINKED:
            return told(Action.KEEP, "linked")
        if status is RegistrationStatus.FAILED:
            return told(Action.LINK, "linking it failed")
        return told(Action.WAIT, "linking it is pending")
    if elsewhere is not None and elsewhere != step.provider_id:
        return told(Action.BLOCKED, f"it is linked to campaign {elsewhere}: unlink it there first")
    if step.action is Action.KEEP and step.provider_id is not None:
        return told(Action.LINK, "it is not linked")
    return _after(Kind.NUMBER, number, step, f"campaign {alias}", of=alias)


def _after(kind: Kind, name: str, parent: Step | None, called: str, *, of: str | None = None) -> Step:
    if parent is not None and parent.action is Action.BLOCKED:
        return Step(action=Action.BLOCKED, kind=kind, name=name, of=of, why=f"{called} is blocked")
    return Step(action=Action.LATER, kind=kind, name=name, of=of, why=f"once {called} is registered")


def _standing(kind: Kind, alias: str, there: Listed, new: BaseModel, registered: Registered) -> Step:
    """What to do about a brand or campaign that there is."""

    def told(action: Action, why: str) -> Step:
        return Step(action=action, kind=kind, name=alias, provider_id=there.provider_id, why=why)

    if there.status is RegistrationStatus.REGISTERED:
        return told(Action.KEEP, _difference(kind, there, new, registered) or "registered")
    if there.status is not RegistrationStatus.REJECTED:
        return told(Action.WAIT, "pending at the registry")
    asked = registered.asked.get((kind, there.provider_id))
    reason = f"it was rejected{f' ({there.reason})' if there.reason else ''}"
    if asked is None:
        return told(Action.BLOCKED, f"{reason}, and was not asked for here: give it another name")
    if changed := differing(dict(asked), fields_of(new, "numbers")):
        return Step(action=Action.CREATE, kind=kind, name=alias, why=f"{reason}; corrected: {', '.join(changed)}")
    return told(Action.BLOCKED, f"{reason}: correct it in the file")


def _difference(kind: Kind, there: Listed, new: BaseModel, registered: Registered) -> str:
    """What the file says otherwise of a thing that is there, which no provider lets us change."""
    asked = registered.asked.get((kind, there.provider_id))
    changed = differing(dict(asked), fields_of(new, "numbers")) if asked is not None else ()
    return f"differs in {', '.join(changed)}, which stays as it is" if changed else ""


def _known(kind: Kind, name: str, place: str, done: Mapping[tuple[Kind, str], Step], registered: Registered) -> None:
    if (kind, name) in done or _listed(kind, name, registered) is not None:
        return
    names = [each for known, each in done if known is kind]
    names += [each.alias or each.provider_id for each in _all(kind, registered)]
    near = difflib.get_close_matches(name, names, n=1)
    where = f"; did you mean {near[0]!r}?" if near else ", here or at the provider."
    raise InputInvalid(f"`{place}`: there is no {kind} {name!r}{where}", field=place)


def _listed(kind: Kind, name: str, registered: Registered) -> Listed | None:
    """What is called so: by its alias, else by the provider's id. Of several the one that came furthest."""
    among = _all(kind, registered)
    called = [each for each in among if each.alias == name] or [each for each in among if each.provider_id == name]
    return max(called, key=lambda each: _FURTHER.index(each.status), default=None)


_FURTHER: Final = (RegistrationStatus.REJECTED, None, RegistrationStatus.PENDING, RegistrationStatus.REGISTERED)


def _all(kind: Kind, registered: Registered) -> Sequence[Listed]:
    match kind:
        case Kind.PROFILE:
            return registered.profiles
        case Kind.BRAND:
            return registered.brands
        case _:
            return registered.campaigns
