from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import replace

import pytest

from romaine.backends.options import LoadOptions
from romaine.backends.registry import resolve_model
from romaine.errors import IntegrityError, ModelFormatError, ModelNotFoundError, OfflineError, OptionError
from romaine.models.card_json import read_card, write_card
from romaine.models.files import first_fingerprint, forget_hashes, model_fingerprint
from romaine.models.from_files import card_from_files
from romaine.models.integrity import sha256_of
from romaine.models.matching import matches
from romaine.models.names import parse_name
from romaine.models.tree import FileTree

from .conftest import COMMIT, safetensors, transformer_files, write_files

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 3\n"


def test_a_folder_is_used_as_it_is(folder):
    local = resolve_model(folder, options=LoadOptions(backend="torch")).local
    assert local.folder == folder
    assert local.path("weights") == folder / "model.safetensors"
    assert local.sha256("weights") == sha256_of(folder / "model.safetensors")
    with pytest.raises(ModelFormatError, match=r"no file for 'onnx:fp32'.*found: config"):
        local.path("onnx:fp32")


def test_the_hub_cache_is_used_without_the_network(cached):
    snapshot = cached(MINILM, transformer_files())
    local = resolve_model(
        "all-MiniLM-L6-v2", options=LoadOptions(backend="torch")
    ).local  # sockets are blocked
    assert local.folder == snapshot
    assert local.card.id == MINILM


def test_a_snapshots_links_to_blobs_are_no_escape(cached):
    snapshot = cached(
        "some/model", {**transformer_files(), "modules.json": b'[{"type": "a.Transformer", "path": ""}]'}
    )
    assert resolve_model("some/model", options=LoadOptions(backend="torch")).local.folder == snapshot
    assert resolve_model(snapshot, options=LoadOptions(backend="torch")).local.folder == snapshot


def test_cache_folder_and_revisions(cached, tmp_path, monkeypatch):
    snapshot = cached("some/model", transformer_files(), revision="refs/pr/1")
    monkeypatch.delenv("HF_HUB_CACHE")
    options = {"backend": "torch", "cache_folder": tmp_path / "hub", "local_files_only": True}
    assert (
        resolve_model("some/model", options=LoadOptions(revision="refs/pr/1", **options)).local.folder
        == snapshot
    )
    assert (
        resolve_model("some/model", options=LoadOptions(revision=COMMIT, **options)).local.folder == snapshot
    )
    with pytest.raises(OfflineError):
        resolve_model("some/model", options=LoadOptions(**options))


@pytest.mark.filterwarnings("ignore:A test tried to use socket")
@pytest.mark.parametrize("offline", [True, False])
def test_without_files_or_network_the_error_says_what_to_do(offline):
    with pytest.raises(OfflineError, match=r"romaine models download.*cache_folder=.*folder"):
        resolve_model(MINILM, options=LoadOptions(local_files_only=offline))


@pytest.mark.parametrize("variable", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_the_hubs_own_offline_switch_is_respected(variable, monkeypatch):
    monkeypatch.setenv(variable, "1")
    with pytest.raises(OfflineError, match="may not be used"):
        resolve_model(MINILM)


def test_half_a_download_offline_names_what_is_missing(cached, tmp_path):
    files = transformer_files()
    del files["model.safetensors"]
    cached("some/model", files)
    (tmp_path / "hub" / "models--some--model" / "blobs" / "abc.incomplete").write_bytes(b"half")
    with pytest.raises(ModelFormatError, match=r"interrupted.*without weights.*romaine models download"):
        resolve_model("some/model", options=LoadOptions(local_files_only=True))


@pytest.mark.filterwarnings("ignore:A test tried to use socket")
def test_half_a_download_with_a_network_is_completed_or_says_it_cannot(cached):
    files = transformer_files()
    del files["model.safetensors"]
    cached("some/model", files)
    with pytest.raises(OfflineError, match="did not answer"):
        resolve_model("some/model")


def test_a_lost_blob_counts_as_missing(cached, tmp_path):
    snapshot = cached("some/model", transformer_files())
    (snapshot / "model.safetensors").resolve().unlink()
    with pytest.raises(ModelFormatError, match="without weights"):
        resolve_model("some/model", options=LoadOptions(local_files_only=True))


@pytest.mark.parametrize("content", [b"", POINTER, transformer_files()["model.safetensors"][:-9]])
def test_damaged_weights_are_named_with_a_repair(content, cached, folder):
    files = {**transformer_files(), "model.safetensors": content}
    cached("some/model", files)
    with pytest.raises(
        ModelFormatError, match=r"model.safetensors.*romaine models download some/model --force"
    ):
        resolve_model("some/model", options=LoadOptions(backend="torch"))
    write_files(folder, {"model.safetensors": content})
    with pytest.raises(ModelFormatError, match=r"model.safetensors.*Copy the file again"):
        resolve_model(folder, options=LoadOptions(backend="torch"))


def test_a_folder_with_an_unfinished_download(folder):
    (folder / "model.safetensors").rename(folder / "model.safetensors.incomplete")
    with pytest.raises(ModelFormatError, match="did not finish"):
        resolve_model(folder)


def test_an_empty_folder(tmp_path):
    with pytest.raises(ModelFormatError, match="empty"):
        resolve_model(tmp_path)


def test_a_changed_file_is_refused_until_accepted(folder):
    resolve_model(folder, options=LoadOptions(backend="torch"))
    (folder / "tokenizer.json").write_bytes(b'{"version": "2.0"}')
    with pytest.raises(IntegrityError, match=r"tokenizer.json has changed.*romaine models forget"):
        resolve_model(folder, options=LoadOptions(backend="torch"))
    assert forget_hashes(parse_name(folder)) > 0
    resolve_model(folder, options=LoadOptions(backend="torch"))


def test_a_changed_cached_file(cached):
    snapshot = cached("some/model", transformer_files())
    resolve_model("some/model", options=LoadOptions(backend="torch"))
    (snapshot / "tokenizer.json").resolve().write_bytes(b'{"version": "2.0"}')
    with pytest.raises(IntegrityError, match="download some/model --force"):
        resolve_model("some/model", options=LoadOptions(backend="torch"))
    assert forget_hashes(parse_name("some/model")) > 0
    resolve_model("some/model", options=LoadOptions(backend="torch"))


def test_hashes_a_card_states_are_checked_at_once(static_folder):
    tree = FileTree.of_folder(static_folder)
    card = card_from_files("gem", tree, matches(tree, {})[0])
    weights = card.files["weights"]
    write_card(replace(card, sha256={weights: sha256_of(static_folder / weights)}), static_folder)
    assert read_card(static_folder / "romaine.json").sha256
    (static_folder / "tokenizer.json").write_bytes((static_folder / card.files["tokenizer"]).read_bytes())
    (static_folder / "model.safetensors").write_bytes((static_folder / weights).read_bytes())
    write_card(replace(card, sha256={"model.safetensors": "0" * 64}), static_folder)
    with pytest.raises(IntegrityError, match="its card says"):
        resolve_model(static_folder)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs permissions that bind")
def test_an_unreadable_folder(folder):
    folder.chmod(0)
    try:
        with pytest.raises((ModelFormatError, ModelNotFoundError)):
            resolve_model(folder)
    finally:
        folder.chmod(0o755)


@pytest.mark.parametrize("revision", ["../x", "", 3])
def test_a_bad_revision(revision):
    with pytest.raises(OptionError, match="revision"):
        resolve_model(MINILM, options=LoadOptions(revision=revision))


def test_a_folder_has_no_revision(folder):
    with pytest.raises(OptionError, match="is a folder"):
        resolve_model(folder, options=LoadOptions(revision="main"))


def test_the_fingerprint_follows_files_and_prompts_only(folder, tmp_path):
    def fingerprint(path, query=""):
        local = resolve_model(path, options=LoadOptions(backend="torch")).local
        return model_fingerprint(local, query_prompt=query, document_prompt="")

    first = fingerprint(folder)
    assert len(first) == 64
    assert fingerprint(folder, "q: ") != first
    same = write_files(tmp_path / "copy" / folder.name, {**transformer_files(), "README.md": b"words"})
    assert fingerprint(same) == first
    other = transformer_files()
    other["model.safetensors"] = other["model.safetensors"][:-1] + b"\x40"
    assert fingerprint(write_files(tmp_path / "other" / folder.name, other)) != first


def test_torch_and_sentence_transformers_share_a_fingerprint(folder):
    write_files(folder, {"1_Pooling/config.json": b'{"pooling_mode": "cls"}'})
    prints = {
        model_fingerprint(
            resolve_model(folder, options=LoadOptions(backend=name)).local,
            query_prompt="",
            document_prompt="",
        )
        for name in ("torch", "sentence-transformers")
    }
    assert len(prints) == 1


def test_the_first_form_of_the_fingerprint_is_what_it_was(folder, tmp_path):
    local = resolve_model(folder, options=LoadOptions(backend="torch")).local
    weights = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    parts = json.dumps([folder.name, [weights], 8, "q: ", ""]).encode()
    first = first_fingerprint(local, query_prompt="q: ", document_prompt="")
    assert first == hashlib.sha256(parts).hexdigest()


# --- what a folder may not do ------------------------------------------------------------------------------


def test_a_folder_cannot_say_that_it_is_bundled(static_folder):
    card = resolve_model(static_folder).local.card
    layout = {"backends": ["static"], "full_dim": 64, "dims": [64], "id": card.id, "kind": "static"}
    (static_folder / "model.safetensors").write_bytes(safetensors("table", rows=30522, columns=64))
    shutil.copy(static_folder / "0_StaticEmbedding" / "tokenizer.json", static_folder)
    (static_folder / "romaine.json").write_text(json.dumps({**layout, "bundled": True}))
    first = resolve_model(static_folder)
    assert (first.local.layout, first.local.card.bundled) == ("romaine", False)
    path = static_folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x40")
    with pytest.raises(IntegrityError, match="has changed"):
        resolve_model(static_folder)


@pytest.mark.parametrize(
    "name", ["model.safetensors", "tokenizer.json", "config.json", "1_Pooling/config.json"]
)
def test_a_link_out_of_the_folder_is_refused(name, folder, tmp_path):
    write_files(folder, {"1_Pooling/config.json": b'{"pooling_mode": "mean"}'})
    target = tmp_path / "elsewhere"
    (folder / name).rename(target)
    (folder / name).symlink_to(target)
    with pytest.raises(
        ModelFormatError, match=r"link to a file outside the model's folder; refused\. Allowed"
    ):
        resolve_model(folder)


def test_a_folder_that_is_a_link_out_is_refused(folder, tmp_path):
    outside = write_files(tmp_path / "elsewhere", {"config.json": b'{"pooling_mode": "cls"}'})
    (folder / "1_Pooling").symlink_to(outside)
    with pytest.raises(ModelFormatError, match="outside the model's folder"):
        resolve_model(folder)


def test_links_inside_the_folder_and_to_the_folder_are_no_escape(folder, tmp_path):
    (folder / "model.safetensors").rename(folder / "weights")
    (folder / "model.safetensors").symlink_to("weights")
    (tmp_path / "link").symlink_to(folder)
    resolve_model(folder)
    resolve_model(tmp_path / "link")
