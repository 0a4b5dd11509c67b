from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from romaine.choice import Choice
from romaine.deserialise import Tagged, deserialise
from romaine.errors import OptionError


class Colour(Choice):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Dot:
    x: float
    size: int = 1

    def __post_init__(self) -> None:
        if self.size < 1:
            raise OptionError(f"size={self.size} is too small")


@dataclass(frozen=True)
class Line:
    dots: tuple[Dot, ...] = ()


Shape = Dot | Line
SHAPES = Tagged("is", {"dot": Dot, "line": Line})


@dataclass(frozen=True, kw_only=True)
class Picture:
    name: str
    colour: Colour = Colour.RED
    framed: bool = False
    width: int | None = None
    shapes: tuple[Shape, ...] = ()
    weights: Mapping[int, float] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)


def read(values, **options):
    return deserialise(Picture, values, where="my.json", unions={Shape: SHAPES}, **options)


def test_values_become_what_the_fields_say():
    text = """{"name": "a", "colour": "blue", "framed": true, "width": 3, "weights": {"4": 1},
        "notes": {"by": "me"}, "shapes": [{"is": "line", "dots": [{"x": 1}, {"x": 0.5, "size": 2}]}]}"""
    picture = read(json.loads(text))
    assert picture == Picture(
        name="a",
        colour=Colour.BLUE,
        framed=True,
        width=3,
        shapes=(Line((Dot(1.0), Dot(0.5, 2))),),
        weights={4: 1.0},
        notes={"by": "me"},
    )
    assert type(picture.shapes[0].dots[0].x) is float
    assert picture.colour is Colour.BLUE
    assert read({"name": "a", "width": None}) == Picture(name="a")


def test_a_mapping_cannot_be_changed():
    with pytest.raises(TypeError):
        read({"name": "a", "weights": {}}).weights[1] = 0.5


def test_unknown_keys_are_an_error_unless_they_are_let_through():
    with pytest.raises(OptionError, match=r"unknown key in my.json 'framd'. Did you mean 'framed'"):
        read({"name": "a", "framd": True})
    values = {"name": "a", "framd": True, "shapes": [{"is": "dot", "x": 1, "y": 2}]}
    assert read(values, ignore_unknown=True).shapes == (Dot(1.0),)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], r"my.json holds \[\]; a table of keys and values is needed"),
        (None, "my.json holds None"),
        ({}, "my.json lacks 'name'"),
        ({"name": 3}, "my.json: name=3 is not allowed; a text is needed"),
        ({"name": None}, "name=None"),
        ({"colour": "green"}, "my.json: colour: unknown colour 'green'.* Allowed: 'red', 'blue'"),
        ({"colour": 3}, "colour=3"),
        ({"colour": ["red"]}, "colour="),
        ({"framed": 1}, "framed=1 is not allowed; true or false is needed"),
        ({"width": True}, "width=True is not allowed; a whole number"),
        ({"width": 3.0}, r"width=3\.0"),
        ({"width": 2**63}, r"below 2\*\*63"),
        ({"width": -(10**5000)}, "too large to show"),
        ({"shapes": "dot"}, "shapes='dot' is not allowed; a list is needed"),
        ({"shapes": [3]}, r"my.json: shapes\[0\]=3 is not allowed; a table"),
        ({"shapes": [{"x": 1}]}, r"unknown is in my.json: shapes\[0\] None.* Allowed: 'dot', 'line'"),
        ({"shapes": [{"is": []}]}, "unknown is"),
        ({"shapes": [{"is": "dot"}]}, r"my.json: shapes\[0\] lacks 'x'"),
        ({"shapes": [{"is": "dot", "x": True}]}, r"shapes\[0\]\.x=True is not allowed; a finite number"),
        ({"shapes": [{"is": "dot", "x": 1, "size": 0}]}, r"my.json: shapes\[0\]: size=0 is too small"),
        ({"shapes": [{"is": "line", "dots": [{"x": float("nan")}]}]}, r"shapes\[0\]\.dots\[0\]\.x=nan"),
        ({"weights": {"x": 1.0}}, "weights='x' is not allowed; a whole number below .* as a key"),
        ({"weights": {"1": float("inf")}}, r"weights\.1=inf"),
        ({"weights": {"1": 10**400}}, r"weights\.1=1000"),
        ({"weights": [1]}, r"weights=\[1\]"),
        ({"notes": {"by": 3}}, r"notes\.by=3"),
    ],
)
def test_what_does_not_fit_is_named(values, message):
    with pytest.raises(OptionError, match=message):
        read({"name": "a", **values} if values else values)


def test_a_large_value_is_shown_in_short():
    nested: object = 1
    for _ in range(100_000):
        nested = [nested]
    for value in ("x" * 10_000, nested):
        with pytest.raises(OptionError) as refused:
            read({"name": "a", "framed": value})
        assert len(str(refused.value)) < 300
