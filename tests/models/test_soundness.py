from __future__ import annotations

import json

import pytest

from romaine.errors import ModelFormatError
from romaine.models.soundness import check_sound

from .conftest import safetensors

WHOLE = safetensors()
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 3\n"


def test_a_whole_file(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(WHOLE)
    check_sound(path, repair="Again.")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (POINTER, "git-lfs"),
        (WHOLE[:-1], "cut off"),
        (WHOLE[:20], "cut off"),
        (WHOLE[:5], "cut off"),
        (WHOLE + b"x", "longer"),
        (b"\xff" * 100, "cut off"),
        ((4).to_bytes(8, "little") + b"[[]]", "damaged"),
        ((2).to_bytes(8, "little") + b"{x", "damaged"),
    ],
)
def test_a_damaged_file_is_named_with_its_repair(content, words, tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelFormatError, match=f"model.safetensors .*{words}.*Again."):
        check_sound(path, repair="Again.")


def test_every_cut_is_noticed(tmp_path):
    path = tmp_path / "model.safetensors"
    for length in range(len(WHOLE)):
        path.write_bytes(WHOLE[:length])
        with pytest.raises(ModelFormatError):
            check_sound(path, repair="")


def test_a_missing_file_and_a_folder(tmp_path):
    for path in (tmp_path / "nothing", tmp_path):
        with pytest.raises(ModelFormatError, match="cannot be read"):
            check_sound(path, repair="")


def with_header(header: object, data: bytes = bytes(128)) -> bytes:
    text = header if isinstance(header, str) else json.dumps(header)
    return len(text).to_bytes(8, "little") + text.encode() + data


def tensor(**changes: object) -> dict[str, object]:
    return {"t": {"dtype": "F32", "shape": [4, 8], "data_offsets": [0, 128], **changes}}


def test_a_sound_header_and_one_of_a_dtype_unknown_here(tmp_path):
    path = tmp_path / "model.safetensors"
    for header in (tensor(), tensor(dtype="F3"), {"__metadata__": {"a": "b"}, **tensor()}):
        path.write_bytes(with_header(header))
        check_sound(path, repair="")


@pytest.mark.parametrize(
    "header",
    [
        pytest.param('{"t": ' + "[" * 200_000 + "]" * 200_000 + "}", id="a deep tensor"),
        pytest.param('{"__metadata__": ' + '{"a":' * 200_000 + "1" + "}" * 200_001, id="deep metadata"),
        pytest.param(json.dumps(tensor()).replace("128", "1e999"), id="an infinite offset"),
        pytest.param(json.dumps(tensor()).replace("128", "128.0"), id="a broken number"),
        pytest.param(json.dumps(tensor()).replace("128", "9" * 5000), id="a number of 5000 digits"),
        pytest.param(tensor(data_offsets=[0, 2**70]), id="an offset beyond int64"),
        pytest.param(tensor(data_offsets=[-128, 0]), id="before the file"),
        pytest.param(tensor(data_offsets=[128, 0]), id="backwards"),
        pytest.param(tensor(data_offsets=[0, 128, 256]), id="three offsets"),
        pytest.param(tensor(shape=[10**5, 2 * 10**6]), id="745 GiB"),
        pytest.param(tensor(shape=[1] * 65 + [32]), id="too many axes"),
        pytest.param(tensor(shape=[True, 32]), id="true as a size"),
        pytest.param(tensor(shape=None), id="no shape"),
        pytest.param(tensor(dtype=["F32"]), id="a list as dtype"),
        pytest.param({"t": None}, id="no tensor"),
        pytest.param([], id="no object"),
    ],
)
def test_a_header_that_makes_no_sense_is_our_error(header, tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(with_header(header))
    with pytest.raises(ModelFormatError, match=r"damaged safetensors header.*Again\."):
        check_sound(path, repair="Again.")
