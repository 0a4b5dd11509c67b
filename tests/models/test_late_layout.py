from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from romaine.errors import ModelFormatError
from romaine.models.card import Prompts
from romaine.models.late_layout import late_layout
from romaine.models.tree import FileTree
from tests import late_models, model_folders
from tests.late_models import TOKEN_DIM

LAYOUTS: dict[str, Callable[[Path, Path], Path]] = {
    "pylate-onnx-export": late_models.write_export,
    "an older one": partial(late_models.write_export, config="config_sentence_transformers.json"),
    "PyLate": partial(late_models.write_pylate, projected=True),
    "PyLate, transformer alone": partial(late_models.write_pylate, projected=False),
    "ColBERT": late_models.write_colbert,
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_the_files_say(layout: str, tmp_path: Path, minilm_folder: Path) -> None:
    folder = LAYOUTS[layout](tmp_path / "model", minilm_folder)
    found = late_layout(FileTree.of_folder(folder))
    markers = ("[unused0]", "[unused1]") if layout == "ColBERT" else late_models.MARKERS
    assert found is not None
    assert (found.token_dim, found.max_tokens) == (TOKEN_DIM, 40)
    assert found.prompts == Prompts(query=markers[0], document=markers[1])


def test_colbert_by_its_architecture_alone(tmp_path: Path, minilm_folder: Path) -> None:
    found = late_layout(
        FileTree.of_folder(late_models.write_colbert(tmp_path, minilm_folder, metadata=False))
    )
    assert found is not None
    assert (found.token_dim, found.max_tokens) == (128, None)
    assert found.prompts.query == "[unused0]"


def test_models_of_sentences_are_none(
    minilm_folder: Path, modernbert_folder: Path, dense_folder: Path
) -> None:
    for folder in (minilm_folder, modernbert_folder, dense_folder):
        assert late_layout(FileTree.of_folder(folder)) is None


def test_a_pooling_makes_it_a_model_of_sentences(tmp_path: Path, minilm_folder: Path) -> None:
    folder = late_models.write_pylate(tmp_path, minilm_folder, projected=True)
    modules = [{"path": "", "type": "a.Transformer"}, {"path": "1_Pooling", "type": "a.Pooling"}]
    model_folders.write_json(folder / "modules.json", modules)
    assert late_layout(FileTree.of_folder(folder)) is None


@pytest.mark.parametrize("dim", [True, 0, -1, "96", 1 << 17, None])
def test_a_dimension_that_is_none_is_not_taken(dim: object, tmp_path: Path) -> None:
    model_folders.write_json(tmp_path / "onnx_config.json", {"query_prefix": "q: ", "embedding_dim": dim})
    found = late_layout(FileTree.of_folder(tmp_path))
    assert found is not None
    assert found.token_dim == 128


def test_malformed_settings(tmp_path: Path) -> None:
    (tmp_path / "onnx_config.json").write_text("[1]", encoding="utf-8")
    with pytest.raises(ModelFormatError, match="a JSON object is needed"):
        late_layout(FileTree.of_folder(tmp_path))
