"""YAML as it is meant, and a sentence for each thing that is wrong with what it says."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from landed.domain.errors import InputInvalid
from landed.domain.words import Word
from landed.simulator.carrier import written


@pytest.mark.parametrize(("text", "content"), [
    ("NO: 1\non: 2\n30: 3", {"NO": 1, "on": 2, "30": 3}),
    ("+15551230000: 1\n012: 2", {"+15551230000": 1, "012": 2}),
    ("from: +15551230000\notp: 012345", {"from": "+15551230000", "otp": "012345"}),
    ("a: yes\nb: true\nc: NO", {"a": "yes", "b": True, "c": "NO"}),
    ("a: 12:30\nb: 2026-01-01\nc: 0x1F\nd: 1_000", {"a": "12:30", "b": "2026-01-01", "c": "0x1F", "d": "1_000"}),
    ("a: 7\nb: -7\nc: 0.5\nd: +.5\ne: 1e3\nf: ~\ng:", {"a": 7, "b": -7, "c": 0.5, "d": 0.5, "e": 1e3, "f": None,
                                                       "g": None}),
    ("a: &calm {x: 1, y: 2}\nb: {<<: *calm, y: 3}", {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}}),
    ('{"a": "\\ud83d\\ude00", "b": [1]}', {"a": "😀", "b": [1]}),
    ("", {}),
    ("# nothing", {}),
])  # fmt: skip
def test_names_are_text_and_values_what_they_look_like(text: str, content: dict[str, Any]) -> None:
    assert written.read(text, source="it") == content


@pytest.mark.parametrize(("text", "sentence"), [
    ("a: 1\nb: 2\na: 3", "it is not YAML, line 3: 'a' is there twice."),
    ("a: {b: 1, b: 2}", "it is not YAML, line 1: 'b' is there twice."),
    ('{"a": 1,\n "a": 2}', "it is not YAML, line 2: 'a' is there twice."),
    ("? [1]\n: 2", "it is not YAML, line 1: a name has to be a word."),
    ("a: 1\nb: [", "it is not YAML, line 2: "),
    ("a: !!python/name:os.system x", "it is not YAML, line 1: could not determine a constructor for the tag"),
    ("a: !!bool maybe", "it is not YAML"),
    ("a: !!int ''", "it is not YAML"),
    ("a: !!timestamp soon", "it is not YAML"),
    ("a: " + "1" * 5000, "it is not YAML"),
    ("[" * 100_000, "it is not YAML"),
    ("- 1", "it is not a mapping of names to values."),
    ("7", "it is not a mapping of names to values."),
    ('{"\\ud800": 1}', "it has half of a surrogate pair in it, which is no character."),
    ('{"a": [{"b": "\\udc00"}]}', "it has half of a surrogate pair in it, which is no character."),
    ('a: "\\ud800"', "it has half of a surrogate pair in it, which is no character."),
])  # fmt: skip
def test_what_is_no_yaml_is_said_with_its_line(text: str, sentence: str) -> None:
    with pytest.raises(InputInvalid) as refused:
        written.read(text, source="it")

    assert str(refused.value).startswith(sentence)


# --- what is wrong -------------------------------------------------------------------------------------------------


class _Colour(Word):
    RED = "red"
    GREEN = "green"
    BLUE = "blue"


class _Leaf(BaseModel):
    model_config = ConfigDict(extra="forbid")

    share: float = Field(default=0, ge=0, le=1)
    count: int = 0
    is_green: bool = False
    colour: _Colour = _Colour.GREEN
    side: Literal["upper", "lower"] = "upper"
    name: str = Field(default="", max_length=5)
    code: Annotated[str, written.text_like(r"\d{2}", "two digits")] = "10"


class _Tree(BaseModel):
    model_config = ConfigDict(extra="forbid")

    height_m: float = Field(alias="height")
    leaves: dict[str, _Leaf] | None = None


@pytest.mark.parametrize(("leaf", "sentence"), [
    ({"share": 2}, "leaves.a.share is 2; give at most 1."),
    ({"share": -0.5}, "leaves.a.share is -0.5; give at least 0."),
    ({"share": "seldom"}, "leaves.a.share is 'seldom'; give a number."),
    ({"share": None}, "leaves.a.share is empty; give a number."),
    ({"share": [1]}, "leaves.a.share is a list; give a number."),
    ({"share": {"b": 1}}, "leaves.a.share: give a number."),
    ({"count": 1.5}, "leaves.a.count is 1.5; give a whole number."),
    ({"is_green": "maybe"}, "leaves.a.is_green is 'maybe'; give true or false."),
    ({"colour": "black"}, "leaves.a.colour is 'black'; give red, green or blue."),
    ({"side": "left"}, "leaves.a.side is 'left'; give upper or lower."),
    ({"name": "a name too long"}, "leaves.a.name is 'a name too long'; give at most 5 characters."),
    ({"name": True}, "leaves.a.name is true; give text."),
    ({"name": "x" * 100}, f"leaves.a.name is '{'x' * 59}…; give at most 5 characters."),
    ({"code": "x1"}, "leaves.a.code is 'x1'; give two digits."),
    ({"shape": 1}, "there is no leaves.a.shape; did you mean share?"),
    ({"zzz": 1}, "there is no leaves.a.zzz; there are code, colour, count, is_green, name, share, side."),
    ("green", "leaves.a is 'green'; give names with their values."),
])  # fmt: skip
def test_what_is_wrong_is_said_with_its_place_its_value_and_the_way_out(leaf: Any, sentence: str) -> None:
    with pytest.raises(ValidationError) as refused:
        _Tree.model_validate({"height": 1, "leaves": {"a": leaf}})

    (problem,) = written.problems(_Tree, refused.value)
    assert problem.sentence == sentence
    assert problem.place.startswith("leaves.a")


def test_what_is_missing_or_unknown_goes_by_the_name_it_is_written_by() -> None:
    with pytest.raises(ValidationError) as refused:
        _Tree.model_validate({"hight": 1})

    assert [*written.problems(_Tree, refused.value)] == [
        ("height", "height is missing."), ("hight", "there is no hight; did you mean height?"),
    ]  # fmt: skip


def test_where_no_way_out_is_known_pydantic_has_its_say() -> None:
    with pytest.raises(ValidationError) as refused:
        _Leaf.model_validate({"name": "\ud800"})

    (problem,) = written.problems(_Leaf, refused.value)
    assert problem.sentence.startswith(r"name is '\ud800'; input should be a valid string")
