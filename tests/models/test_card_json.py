from __future__ import annotations

import json
from dataclasses import replace

import pytest

from romaine.arrays import Pooling
from romaine.errors import ModelFormatError
from romaine.models.card import Measure
from romaine.models.card_json import card_from_json, card_to_json, read_card, write_card
from romaine.models.catalog import CATALOG

FULL = replace(
    CATALOG["Zeolit/lettuce-emb-768d-v4"],
    pooling=Pooling.CLS,
    measured=(Measure(name="STSBenchmark Spearman", value=0.8, command="romaine eval sts"),),
    sha256={"onnx/model.fp32.onnx": "0" * 64},
    int8_ranges={64: 0.5},
    int8_holds=True,
)
MINIMAL = {"id": "x", "kind": "static", "full_dim": 8, "dims": [4, 8]}


@pytest.mark.parametrize("card", [FULL, *CATALOG.values()], ids=lambda card: card.id)
def test_a_card_survives_json(card, tmp_path):
    assert read_card(write_card(card, tmp_path)) == card


def test_equal_cards_give_equal_bytes(tmp_path):
    first = write_card(FULL, tmp_path).read_bytes()
    assert write_card(card_from_json(json.loads(first)), tmp_path).read_bytes() == first


def test_unknown_keys_are_left_alone():
    assert card_from_json({**MINIMAL, "teacher": "some model"}).full_dim == 8


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("full_dim", "8"),
        ("full_dim", True),
        ("full_dim", 0),
        ("dims", [8, 4]),
        ("dims", []),
        ("dims", "8"),
        ("pooling", "median"),
        ("pooling", 3),
        ("max_tokens", -1),
        ("layer_norm", "no"),
        ("prompts", "query: "),
        ("prompts", {"query": 1}),
        ("files", {"weights": "../../etc/passwd"}),
        ("files", {"weights": "/etc/passwd"}),
        ("files", {"weights": "C:\\x"}),
        ("sha256", {"model.safetensors": "abc"}),
        ("sha256", {"../x": "0" * 64}),
        ("quality", [{"name": "x"}]),
        ("quality", [3]),
        ("int8_ranges", {"x": 1.0}),
        ("int8_ranges", {"64": 0}),
        ("int8_ranges", {"64": float("inf")}),
        ("int8_ranges", {"64": 10**400}),
        ("duplicate_threshold", float("nan")),
        ("max_tokens", 10**30),
        ("size", 2**64),
        ("backends", 5),
        ("note", ["x"] * 10_000),
        ("duplicate_threshold", None),
    ],
)
def test_a_wrong_value_is_named(key, value):
    with pytest.raises(ModelFormatError, match=key):
        card_from_json({**MINIMAL, key: value})


@pytest.mark.parametrize("values", [None, [], "card", 3, {}, {"id": "x"}])
def test_what_is_no_card(values):
    with pytest.raises(ModelFormatError):
        card_from_json(values)


def test_a_wrong_value_is_shown_in_short():
    with pytest.raises(ModelFormatError) as refused:
        card_from_json({**MINIMAL, "note": ["x"] * 10_000})
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b"[" * 100_000, b'{"dims": ' * 100_000])
def test_a_damaged_file(content, tmp_path):
    (tmp_path / "romaine.json").write_bytes(content)
    with pytest.raises(ModelFormatError, match=r"romaine.json"):
        read_card(tmp_path / "romaine.json")


def test_a_card_is_plain_json():
    json.dumps(card_to_json(FULL))
