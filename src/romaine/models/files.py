"""A model's name -> its files on this machine: bundled, local folder, hub cache, then network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Protocol, TypeVar

from romaine.errors import IntegrityError, MissingExtraError, ModelFormatError, OptionError
from romaine.models import integrity
from romaine.models.card import ModelCard
from romaine.models.hub import HubRepository, hub_cache, is_offline
from romaine.models.names import ModelName, check_revision
from romaine.models.soundness import check_sound
from romaine.models.tree import FileTree, check_inside

_SMALL_FILES = frozenset(
    {
        "added_tokens.json",
        "config.json",
        "artifact.metadata",
        "config_sentence_transformers.json",
        "model.safetensors.index.json",
        "modules.json",
        "onnx_config.json",
        "romaine.json",
        "sentence_bert_config.json",
        "special_tokens_map.json",
        "tokenizer_config.json",
    }
)
"""What is fetched first of a hub model that was never seen: enough to recognise its layout."""

_FINGERPRINT_FORM = 2
_READ_BY_VALUE = frozenset({"card", "prompts"})
"""Uses of files that say something of vectors only in values which are hashed as such."""


@dataclass(frozen=True, kw_only=True)
class LocalModel:
    """A model whose files are on this machine.

    Attributes:
        id: What the caller called it.
        folder: Where its files are.
        layout: Name of the file layout that was recognised.
        card: What is known about it, from the catalog or read from its files.
        files: Path by use, of the files its backend needs: "weights", "tokenizer", "config", "onnx:fp32" or
            "onnx:int8" (never both), "modules", "pooling", ... For sharded weights "weights" is their index
            and "weights:0", "weights:1", ... are the shards; "onnx:fp32:data:0", ... are the files in which
            that graph keeps tensors.
        hashes: sha256 of each of `files`, by use.
    """

    id: str
    folder: Path
    layout: str
    card: ModelCard
    files: Mapping[str, Path] = field(default_factory=dict)
    hashes: Mapping[str, str] = field(default_factory=dict)

    def path(self, use: str) -> Path:
        """Returns the file for `use`.

        Raises:
            ModelFormatError: If the model has none, naming what it has.
        """
        if use not in self.files:
            raise ModelFormatError(
                f"{self.id} has no file for {use!r} in {self.folder};"
                f" found: {', '.join(sorted(self.files)) or 'nothing'}"
            )
        return self.files[use]

    def sha256(self, use: str) -> str:
        """The hash of the file for `use`, as 64 hex digits; raises as `path`."""
        return self.hashes.get(use) or integrity.sha256_of(self.path(use))


def model_fingerprint(model: LocalModel, *, query_prompt: str, document_prompt: str) -> str:
    """Identifies a vector space, so that stored vectors are never compared with another model's.

    The sha256 of all that decides on a vector: the model's id, the hashes of its files (weights wherever they
    lie, tokenizer, the configs of its modules), full_dim, window, pooling, layer norm and the prompts. Of
    the card's own file and that of the prompts only what they say counts, not how it is written.

    What a caller chooses for one run does not enter it: backend, `dim`, device, dtype, batches, and
    `truncate`, which says what becomes of texts over the window. An ONNX file and the torch weights it was
    exported from are different files and have different fingerprints, although their vectors agree.
    """
    card = model.card
    parts = {
        "form": _FINGERPRINT_FORM,
        "id": card.id,
        "files": {use: model.sha256(use) for use in model.files if use not in _READ_BY_VALUE},
        "full_dim": card.full_dim,
        "max_tokens": card.max_tokens,
        "pooling": card.pooling.value,
        "layer_norm": card.layer_norm,
        "prompts": [query_prompt, document_prompt],
    }
    return integrity.sha256_of_json(parts)


def first_fingerprint(model: LocalModel, *, query_prompt: str, document_prompt: str) -> str:
    """The fingerprint's first form, under which older files are kept: of id, weights, full_dim and prompts.

    Two models of which only tokenizer, pooling or layer norm differ share it.
    """
    weights = sorted(model.sha256(use) for use in model.files if _is_weights(use))
    return integrity.sha256_of_json(
        [model.card.id, weights, model.card.full_dim, query_prompt, document_prompt]
    )


def _is_weights(use: str) -> bool:
    """Whether the fingerprint's first form covers a file."""
    if use.startswith("onnx:"):
        return not use.rpartition(":")[2].isdecimal()  # it knew data files only by their usual names
    return use.startswith(("weights", "codes")) or (use.startswith("module:") and use.endswith(":model"))


class Selection(Protocol):
    """What a chooser found in a tree: the files that one backend needs, as relative paths by use."""

    @property
    def paths(self) -> Mapping[str, str]: ...  # noqa: D102


S = TypeVar("S", bound=Selection)


@dataclass(frozen=True, kw_only=True)
class FoundModel:
    """Where a model was found.

    Attributes:
        tree: Its files.
        key: Under which its hashes are recorded: hub id and commit, distribution and version, or absolute
            folder.
        repair: One sentence on how to get whole files.
        in_wheel: Whether the files came with this package, which need no record of their own.
    """

    tree: FileTree
    key: str
    repair: str
    in_wheel: bool = False


def repository(
    name: ModelName,
    *,
    revision: str | None,
    cache_folder: Path | None,
    offline: bool,
    token: str | None = None,
) -> HubRepository:
    """The hub repository of a name that stands for one; an OptionError if `revision` is malformed."""
    return HubRepository(
        id=name.id,
        revision=check_revision(revision),
        cache=hub_cache(cache_folder),
        offline=offline or is_offline(),
        token=token,
    )


def find_files(
    name: ModelName,
    choose: Callable[[FileTree], S],
    *,
    cache_folder: Path | None = None,
    local_files_only: bool = False,
    revision: str | None = None,
    token: str | None = None,
) -> tuple[FoundModel, S]:
    """Finds a model's files, downloading what `choose` selects only where that is neither here nor forbidden.

    `choose` selects the files one backend needs, or raises if nothing in the tree can be run. The options
    are those of a `HubRepository`.

    Raises:
        OptionError: If `revision` is malformed, or given for a folder.
        OfflineError: If the network is needed and may not or cannot be used.
        ModelNotFoundError: If the hub has no such model.
        ModelFormatError: If the files are incomplete.
        MissingExtraError: As `choose`.
    """
    if name.folder is not None:
        if revision is not None:
            raise OptionError(f"revision={revision!r} has no meaning for {name.id}, which is a folder")
        found = folder_found(name, name.folder)
        return found, choose(found.tree)
    repo = repository(
        name, revision=revision, cache_folder=cache_folder, offline=local_files_only, token=token
    )
    snapshot = repo.snapshot()
    if snapshot is not None:
        found = snapshot_found(repo, snapshot)
        try:
            return found, choose(found.tree)
        except MissingExtraError:
            if repo.offline:
                raise
        except ModelFormatError as error:
            if repo.offline:
                state = " (its download was interrupted)" if repo.has_unfinished_download() else ""
                raise ModelFormatError(
                    f"{repo.id} in {repo.cache} is incomplete{state}: {error} With a network,"
                    f" 'romaine models download {repo.id}' brings the rest."
                ) from None
    return fetch_files(repo, choose)


def fetch_files(
    repo: HubRepository, choose: Callable[[FileTree], S], *, force: bool = False, show_progress: bool = False
) -> tuple[FoundModel, S]:
    """Downloads what `choose` selects, and nothing else but small JSON files.

    `choose` is as in `find_files`; the other arguments and errors are as in `HubRepository.download`.
    """
    listing = repo.listing()
    small = [path for path in listing if path.rpartition("/")[2] in _SMALL_FILES and path.count("/") <= 1]
    folder = repo.download(small, force=force, show_progress=show_progress)
    tree = FileTree(folder, frozenset(listing))
    fetched: set[str] = set()
    # What has come may name more: an index its shards, a graph the files it keeps tensors in.
    while more := set(choose(tree).paths.values()) - fetched:
        folder = repo.download(more, force=force, show_progress=show_progress)
        tree = FileTree(folder, tree.paths)
        fetched |= more
    found = snapshot_found(repo, folder)
    return found, choose(found.tree)


def folder_found(name: ModelName, folder: Path) -> FoundModel:
    """A model in a folder: bundled, another distribution's or the caller's."""
    bundled = name.card is not None and name.card.bundled
    if bundled or name.package:
        repair = f"Install {name.package or 'romaine'} again."
    else:
        repair = f"Copy the file again; if you changed it yourself, run 'romaine models forget {name.id}'."
    return FoundModel(
        tree=FileTree.of_folder(folder),
        # the same folder holds other files after an update
        key=f"package:{name.package}" if name.package else f"folder:{folder.resolve()}",
        in_wheel=bundled,
        repair=repair,
    )


def snapshot_found(repo: HubRepository, snapshot: Path) -> FoundModel:
    """A model in the hub cache."""
    return FoundModel(
        tree=FileTree.of_folder(snapshot),
        key=f"hub:{repo.id}@{snapshot.name}",
        repair=f"Run 'romaine models download {repo.id} --force' to download it again.",
    )


def checked_hashes(found: FoundModel, paths: Mapping[str, str], card: ModelCard) -> Mapping[str, str]:
    """Checks that each file is whole and the one that is expected; records it if this is its first use.

    Returns:
        sha256 by use.

    Raises:
        ModelFormatError: If a file is missing, empty, cut off, a git-lfs pointer or a link out of the folder.
        IntegrityError: If a file differs from its card or from what was recorded.
    """
    hashes: dict[str, str] = {}
    by_path: dict[str, str] = {}
    for use, relative in paths.items():
        if relative not in by_path:
            path = found.tree.folder / relative
            check_inside(path, found.tree.folder)
            check_sound(path, repair=found.repair)
            actual = by_path[relative] = integrity.sha256_of(path)
            stated = card.sha256.get(relative, actual)
            if actual != stated:
                raise IntegrityError(
                    f"{path} has sha256 {actual[:12]}..., its card says {stated[:12]}.... {found.repair}"
                )
            if relative not in card.sha256 and not found.in_wheel:
                integrity.check_recorded(found.key, relative, path, actual, repair=found.repair)
        hashes[use] = by_path[relative]
    return MappingProxyType(hashes)


def forget_hashes(name: ModelName, *, cache_folder: Path | None = None) -> int:
    """Drops the recorded hashes of a model, in all its cached revisions; returns of how many files."""
    if name.folder is not None:
        return integrity.forget(folder_found(name, name.folder).key)
    repo = repository(name, revision=None, cache_folder=cache_folder, offline=True)
    return sum(
        integrity.forget(f"hub:{name.id}@{path.name}") for path in (repo.folder / "snapshots").glob("*")
    )
