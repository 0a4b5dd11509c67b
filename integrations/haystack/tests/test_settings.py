# SPDX-FileCopyrightText: 2026 the romaine authors
#
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import Any

import haystack.telemetry._telemetry
import pytest
from haystack.utils import ComponentDevice, Secret
from romaine import Embedder, Scope
from romaine.errors import OptionError, TextTypeError, UnknownNameError

from haystack_integrations.common.romaine import RomaineMemoryFile
from haystack_integrations.common.romaine.scope import BoundScope
from haystack_integrations.common.romaine.settings import EmbedderSettings
from haystack_integrations.components.embedders.romaine import RomaineDocumentEmbedder, RomaineTextEmbedder
from haystack_integrations.components.retrievers.romaine import RomaineMemoryRetriever
from haystack_integrations.components.writers.romaine import RomaineMemoryWriter
from haystack_integrations.document_stores.romaine import RomaineMemoryStore

RENAMED = {"show_progress": "progress_bar"}
OF_TEXTS = RENAMED | {"query_prompt": "prefix"}
OF_DOCUMENTS = RENAMED | {"document_prompt": "prefix"}


def parameters(kind: type) -> dict[str, inspect.Parameter]:
    found = dict(inspect.signature(kind.__init__).parameters)
    del found["self"]
    return found


@pytest.mark.parametrize(
    ("kind", "names", "left_out"),
    [
        (RomaineTextEmbedder, OF_TEXTS, {"document_prompt"}),
        (RomaineDocumentEmbedder, OF_DOCUMENTS, {"query_prompt"}),
        (RomaineMemoryFile, RENAMED, {"precision"}),  # a memory takes float32 and packs it itself
    ],
)
def test_every_option_of_the_embedder_is_here(kind: type, names: dict[str, str], left_out: set[str]) -> None:
    theirs, ours = parameters(Embedder), parameters(kind)
    for name, option in theirs.items():
        if name in left_out:
            continue
        here = ours[names.get(name, name)]
        if name != "token":  # a Secret, as Haystack has it
            assert here.default == option.default, name


@pytest.mark.parametrize(
    "kind",
    [
        RomaineTextEmbedder,
        RomaineDocumentEmbedder,
        RomaineMemoryFile,
        RomaineMemoryRetriever,
        RomaineMemoryWriter,
        RomaineMemoryStore,
    ],
)
def test_unknown_names_are_refused(kind: type) -> None:
    assert all(p.kind is not inspect.Parameter.VAR_KEYWORD for p in parameters(kind).values())
    with pytest.raises(TypeError, match="truncate_dim"):
        kind("x", truncate_dim=64)


@pytest.mark.parametrize("kind", [RomaineTextEmbedder, RomaineDocumentEmbedder, RomaineMemoryFile])
@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"dim": 0}, OptionError),
        ({"dim": "64"}, OptionError),
        ({"batch_size": 0}, OptionError),
        ({"batch_tokens": -1}, OptionError),
        ({"threads": 0}, OptionError),
        ({"backend": "torhc"}, UnknownNameError),
        ({"truncate": "start"}, UnknownNameError),
        ({"device": "cuda"}, OptionError),
        ({"token": "hf_secret"}, OptionError),
        ({"trust_remote_code": "false"}, OptionError),
        ({"local_files_only": 1}, OptionError),
        ({"progress_bar": None}, OptionError),
        ({"providers": "CPUExecutionProvider"}, OptionError),
        ({"providers": 5}, OptionError),
        ({"cache_folder": 5}, OptionError),
        ({"revision": 5}, OptionError),
    ],
)
def test_wrong_values_are_refused_at_once(
    kind: type, options: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error, match=next(iter(options))) as caught:
        kind("x", **options)
    assert "hf_secret" not in str(caught.value)


@pytest.mark.parametrize("kind", [RomaineMemoryRetriever, RomaineMemoryWriter, RomaineMemoryStore])
def test_a_scope_is_given_whole_or_by_its_names(kind: type) -> None:
    whole = Scope(user="ana", character="Cassian")
    by_names = kind("never-made.db", user="ana", character="Cassian")
    assert kind("never-made.db", scope=whole).scope == by_names.scope
    with pytest.raises(OptionError, match="leave out one or the other"):
        kind("never-made.db", scope=whole, chat="tavern")
    with pytest.raises(OptionError, match="bound to"):  # what is bound, no run can change
        BoundScope.of(whole, user=None, character=None, chat=None).resolve(
            Scope(user="ben"), user=None, character=None, chat=None
        )


def test_a_model_is_named_or_a_path() -> None:
    for wrong in (7, None, b"little-gem"):
        with pytest.raises(OptionError, match="model"):
            RomaineTextEmbedder(wrong)  # type: ignore[arg-type]
    assert RomaineTextEmbedder(Path("models") / "mine").settings.model == str(Path("models") / "mine")


def test_a_variable_set_to_nothing_is_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_API_TOKEN", "")
    assert EmbedderSettings().make()._options.token is None


def test_prefix_and_suffix_must_be_text() -> None:
    with pytest.raises(OptionError, match="prefix"):
        RomaineTextEmbedder(prefix=7)  # type: ignore[arg-type]
    with pytest.raises(TextTypeError):
        RomaineDocumentEmbedder(suffix=None)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", ["title", 5, [1]])
def test_fields_of_meta_must_be_a_list_of_names(wrong: Any) -> None:
    with pytest.raises(OptionError, match="meta_fields_to_embed"):
        RomaineDocumentEmbedder(meta_fields_to_embed=wrong)
    with pytest.raises(OptionError, match="meta_fields_to_keep"):
        RomaineMemoryWriter("never-made.db", meta_fields_to_keep=wrong)


def test_a_device_and_a_token_reach_the_embedder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", "hf_secret")
    settings = EmbedderSettings(
        device=ComponentDevice.from_str("cuda:1"), token=Secret.from_env_var("MY_TOKEN")
    )
    options = settings.make()._options
    assert options.device == "cuda:1"
    assert options.token == "hf_secret"
    assert "hf_secret" not in repr(settings)


def test_a_token_is_read_when_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MY_TOKEN", raising=False)
    embedder = RomaineTextEmbedder(token=Secret.from_env_var("MY_TOKEN"))
    with pytest.raises(ValueError, match="MY_TOKEN"):
        embedder.warm_up()


def test_the_first_stage_is_64_where_the_model_has_it(tmp_path: Path, transformer_folder: Path) -> None:
    for options, dim in (({}, 64), ({"dim": 128}, 128), ({"model": transformer_folder}, 384)):
        file = RomaineMemoryFile(tmp_path / f"{dim}.db", **options)  # type: ignore[arg-type]
        assert file.open().embedder.dim == dim
        assert file.open() is file.open()
        file.close()
        file.close()


def test_a_memory_file_is_a_path_or_the_object() -> None:
    with pytest.raises(OptionError, match="memory_file"):
        RomaineMemoryWriter(7)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="path"):
        RomaineMemoryFile(7)  # type: ignore[arg-type]


def test_haystacks_telemetry_is_off() -> None:
    assert haystack.telemetry._telemetry.telemetry is None


@pytest.mark.parametrize(
    "leaf",
    [
        "common.romaine",
        "components.embedders.romaine",
        "components.retrievers.romaine",
        "components.writers.romaine",
        "document_stores.romaine",
        "hooks.romaine",
        "tools.romaine",
    ],
)
def test_leaves_are_typed_and_what_is_above_is_shared(leaf: str) -> None:
    package = importlib.import_module(f"haystack_integrations.{leaf}")
    folder = Path(package.__file__ or "").parent
    assert (folder / "py.typed").exists()
    assert all(getattr(package, name).__module__.startswith(package.__name__) for name in package.__all__)
    while folder.name != "haystack_integrations":
        folder = folder.parent
        assert not (folder / "__init__.py").exists()
