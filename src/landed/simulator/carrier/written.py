"""What somebody wrote as YAML or JSON, made plain data; and what is wrong with it, a sentence for each problem."""

import difflib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import yaml
from pydantic import AfterValidator, BaseModel, ValidationError

from landed.domain.errors import InputInvalid

_SHOWN_MAX: Final = 60


class _Loader(yaml.SafeLoader):
    """YAML as it is meant: names are text, so that Norway is NO and no boolean, and a number keeps its plus and its
    zeros; and none is there twice."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  as PyYAML has it

    def compose_mapping_node(self, anchor: Any) -> Any:
        node = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.composer.ComposerError(problem="a name has to be a word", problem_mark=key.start_mark)
            if key.value in seen:
                raise yaml.composer.ComposerError(problem=f"{key.value!r} is there twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        self.flatten_mapping(node)
        return {key.value: self.construct_object(value, deep=deep) for key, value in node.value}


_WHOLE: Final = r"(?:0|[1-9][0-9]*)"
_EXPONENT: Final = r"[eE][-+]?[0-9]+"
for _tag, _pattern, _first in (
    ("merge", r"<<", "<"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", rf"-?{_WHOLE}", "-0123456789"),
    ("float", rf"[-+]?(?:(?:{_WHOLE}\.[0-9]*|\.[0-9]+)(?:{_EXPONENT})?|{_WHOLE}{_EXPONENT})", "-+.0123456789"),
    ("float", r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", "-+."),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern})\Z"), list(_first))


def read(text: str, *, source: str) -> dict[str, Any]:
    """The mapping that YAML or JSON says; nothing is an empty one.

    Raises:
        InputInvalid: it is neither, or no mapping.
    """
    try:
        content = _content(text)
    except yaml.MarkedYAMLError as error:
        place = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise InputInvalid(f"{source} is not YAML{place}: {error.problem}.", field="scenario") from error
    except (yaml.YAMLError, RecursionError, ValueError, LookupError, AttributeError) as error:
        # The last three: a tag such as !!bool or !!timestamp on what is none.
        raise InputInvalid(f"{source} is not YAML: {str(error)[:300]}", field="scenario") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise InputInvalid(f"{source} is not a mapping of names to values.", field="scenario")
    try:
        json.dumps(content, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError as error:
        sentence = f"{source} has half of a surrogate pair in it, which is no character."
        raise InputInvalid(sentence, field="scenario") from error
    return content


def _content(text: str) -> Any:
    try:
        # YAML reads the pairs of surrogates wrongly that JSON writes an emoji as.
        return json.loads(text, object_pairs_hook=_without_repeats)
    except ValueError:
        return yaml.load(text, _Loader)  # noqa: S506  it is a SafeLoader


def _without_repeats(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a name is there twice")  # as YAML it is told which
    return content


# --- what is wrong -------------------------------------------------------------------------------------------------


class Problem(NamedTuple):
    place: str  #: `countries.NG.silent`; blank: the whole
    sentence: str


def text_like(pattern: str, way_out: str) -> AfterValidator:
    """Text of this form; `way_out` goes on from "give"."""

    def check(text: str) -> str:
        if re.fullmatch(pattern, text) is None:
            raise ValueError(f"give {way_out}")
        return text

    return AfterValidator(check)


def problems(model: type[BaseModel], error: ValidationError) -> Iterator[Problem]:
    """What is wrong, at which place, and the way out."""
    for each in error.errors(include_url=False):
        path = [str(part) for part in each["loc"] if part != "[key]"]
        place = ".".join(path)
        named = place or "it"
        if each["type"] == "extra_forbidden":
            yield Problem(place, f"there is no {named}; {_instead(path[-1], _names_at(model, path[:-1]))}")
        elif each["type"] == "missing":
            yield Problem(place, f"{named} is missing.")
        else:
            way_out = _way_out(each["type"], each.get("ctx", {}), each["msg"])
            yield Problem(place, f"{named}{so_far(each['input'])} {way_out}.")


def _way_out(kind: str, context: Mapping[str, Any], message: str) -> str:
    """What to give instead; where no way out is known here, what pydantic says."""
    return _WAYS_OUT[kind](context) if kind in _WAYS_OUT else message[:1].lower() + message[1:]


def so_far(given: object) -> str:
    """How a sentence goes on from a name, up to the way out: what was given, unless that is a mapping."""
    match given:
        case None:
            return " is empty;"
        case Mapping():
            return ":"
        case bool():
            return f" is {json.dumps(given)};"
        case str() | int() | float():
            text = repr(given)
            return f" is {text if len(text) <= _SHOWN_MAX else f'{text[:_SHOWN_MAX]}…'};"
        case _:
            return " is a list;"


_WAYS_OUT: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "value_error": lambda context: f"{context['error']}",
    "greater_than_equal": lambda context: f"give at least {context['ge']:.15g}",
    "less_than_equal": lambda context: f"give at most {context['le']:.15g}",
    "string_too_long": lambda context: f"give at most {context['max_length']} characters",
    "string_too_short": lambda context: f"give at least {context['min_length']} characters",
    **dict.fromkeys(("enum", "literal_error"), lambda context: f"give {context['expected'].replace(chr(39), '')}"),
    **dict.fromkeys(("string_type", "string_sub_type"), lambda _: "give text"),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float", "int_parsing_size"), lambda _: "give a whole number"),
    **dict.fromkeys(("float_type", "float_parsing", "finite_number"), lambda _: "give a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), lambda _: "give true or false"),
    **dict.fromkeys(("dict_type", "model_type", "mapping_type"), lambda _: "give names with their values"),
}


def _instead(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}."


def _names_at(model: type[BaseModel], path: Sequence[str]) -> Sequence[str]:
    """The names that a place may have, through models and mappings of them."""
    for name in path:
        inner = _model_in(model.model_fields[name].annotation) if name in model.model_fields else None
        model = inner or model  # a key of a mapping leads to where its mapping did
    return sorted(field.alias or name for name, field in model.model_fields.items())


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, getattr(annotation, "__args__", ()))), None)
