from __future__ import annotations

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
