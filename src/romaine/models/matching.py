"""Finding the layouts of `romaine.models.layouts` in a model's files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from romaine.models.late_layout import late_layout
from romaine.models.layouts import LAYOUTS, Layout, is_pickle
from romaine.models.tree import FileTree, join

_ROUTERS = ("Router", "Asym")
_MODULE_SUFFIXES = (".json", ".safetensors", ".txt", ".model")
_NO_MODULE_FILES = ("romaine.json", "romaine-verdict.json", "config_sentence_transformers.json")
_NAMED_BY_STEM = ("config.json", "model.safetensors", "sentence_bert_config.json")


@dataclass(frozen=True, kw_only=True)
class Match:
    """A layout found in a tree.

    Attributes:
        layout: The layout.
        paths: Relative path by use, of the files that are there.
        missing: Uses that are required and absent; empty if the model is complete.
    """

    layout: Layout
    paths: Mapping[str, str]
    missing: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether everything required is there."""
        return not self.missing

    @property
    def pickle(self) -> str | None:
        """The first of its weight files that would be unpickled, those of later modules included."""
        weights = (path for use, path in self.paths.items() if use.startswith(("weights", "module:")))
        return next(filter(is_pickle, weights), None)

    @property
    def is_pickle(self) -> bool:
        """Whether any of its weights would be unpickled."""
        return self.pickle is not None


def matches(tree: FileTree, known: Mapping[str, str]) -> list[Match]:
    """Every layout that `tree` is marked as, in order of preference.

    `known` are the relative paths by use that the model's card gives; they go before the layout's own.
    """
    return [_match(layout, tree, known) for layout in LAYOUTS if layout.applies(tree)]


def _match(layout: Layout, tree: FileTree, known: Mapping[str, str]) -> Match:
    first = tree.modules[0].path if tree.modules else ""
    pickled = layout.name == "pickle"

    def find(use: str, candidates: tuple[str, ...]) -> str | None:
        stated = known.get(use, "")
        wanted = [stated] if stated and is_pickle(stated) == (pickled and use == "weights") else []
        wanted += [path.replace("{module}", f"{first}/" if first else "") for path in candidates]
        return next((path for path in wanted if path in tree.paths), None)

    paths: dict[str, str] = {}
    for group in (layout.required, layout.any_of, layout.optional):
        for use, candidates in group.items():
            found = find(use, candidates)
            if found is not None:
                paths[use] = found
    missing = [use for use in layout.required if use not in paths]
    if layout.any_of and not any(use in paths for use in layout.any_of):
        missing.append(next(iter(layout.any_of)))
    if "sentence-transformers" in layout.backends or (layout.backends == ("onnx",) and late_layout(tree)):
        paths.update(_module_files(tree))
    shards = dict(_shards(tree, paths.get("weights", "")))
    missing += [use for use, path in shards.items() if path not in tree.paths]
    return Match(layout=layout, paths=MappingProxyType(paths | shards), missing=tuple(missing))


def _module_files(tree: FileTree) -> Iterator[tuple[str, str]]:
    """All that the library may read of the modules after the first, each in a folder of its own.

    A router's modules are in folders below its own, wherever it stands; a pickle counts where nothing takes
    its place.
    """
    for number, module in enumerate(tree.modules):
        if module.kind not in _ROUTERS and (not number or not module.path):
            continue
        prefix = f"{module.path}/" if module.path else ""
        for path in sorted(tree.paths):
            name = path.removeprefix(prefix)
            if path.startswith(prefix) and _is_module_file(tree, path):
                stem = name.partition(".")[0] if name in _NAMED_BY_STEM else f"file:{name}"
                yield f"module:{module.path}:{stem}", path


def _is_module_file(tree: FileTree, path: str) -> bool:
    if path.endswith(_MODULE_SUFFIXES):
        return not path.endswith(_NO_MODULE_FILES)
    folder = path.rpartition("/")[0]
    return is_pickle(path) and join(folder, "model.safetensors") not in tree.paths


def _shards(tree: FileTree, weights: str) -> Iterator[tuple[str, str]]:
    """The files that an index of sharded weights names."""
    if not weights.endswith(".index.json"):
        return
    folder = weights.rpartition("/")[0]
    listed = tree.json_object(weights).get("weight_map")
    names = {name for name in listed.values() if isinstance(name, str)} if isinstance(listed, dict) else ()
    for number, name in enumerate(sorted(names)):
        yield f"weights:{number}", join(folder, tree.inner(name))
