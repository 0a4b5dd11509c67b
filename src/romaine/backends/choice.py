"""Choosing the backend and the files for a model, and saying why if none fits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from romaine.backends.options import LoadOptions
from romaine.backends.spec import BACKENDS, BackendSpec, spec
from romaine.errors import (
    MissingExtraError,
    ModelFormatError,
    OptionError,
    UnsafeModelError,
)
from romaine.models.card import ModelCard
from romaine.models.card_json import CARD_FILE, card_from_json
from romaine.models.matching import Match, matches
from romaine.models.onnx_data import external_data
from romaine.models.soundness import check_sound
from romaine.models.tree import FileTree, check_inside, join

_FITS_NO_LAYOUT = {
    "static": "no static embedding table",
    "onnx": "no ONNX file that pools what the model needs",
    "torch": "no transformer weights with only pooling after them",
    "sentence-transformers": "no sentence-transformers or transformers weights",
}


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """A backend and the layout it will read.

    Attributes:
        spec: The backend.
        match: The layout as found.
        paths: Relative path by use of the files needed; of the ONNX files only the one variant.
    """

    spec: BackendSpec
    match: Match
    paths: Mapping[str, str]


def choose(
    model_id: str,
    tree: FileTree,
    *,
    known_card: ModelCard | None,
    options: LoadOptions,
) -> Chosen:
    """Chooses what runs the model in `tree`.

    Args:
        model_id: What the caller called the model.
        tree: Its files.
        known_card: Its card in the catalog, if it has one.
        options: `backend`, `variant`, `device`, `providers` and `allow_pickle` matter here.

    Raises:
        OptionError: If `options.variant` is unknown or has no meaning for the backend asked for.
        UnsafeModelError: If only a pickle is there and that is not allowed.
        MissingExtraError: If only backends that are not installed fit.
        ModelFormatError: If nothing fits, saying for each backend why.
    """
    found = matches(tree, known_card.files if known_card is not None else {})
    reasons: list[str] = []
    absent: list[BackendSpec] = []
    pickled = False
    for backend in _candidates(options):
        match, reason = _best(backend, found, options)
        if match is not None and match.is_pickle and not options.allow_pickle:
            pickled, reason = True, f"{match.pickle} is a pickle"
        elif match is not None and not backend.installed:
            absent.append(backend)
            reason = f"not installed (pip install 'romaine[{backend.extra or 'all'}]')"
        elif match is not None:
            return Chosen(spec=backend, match=match, paths=_needed(match, tree, known_card, options))
        reasons.append(f"{backend.name}: {reason}")
    if absent:
        raise MissingExtraError(f"{model_id} on backend {absent[0].name!r}", absent[0].extra or "all")
    if pickled:
        raise UnsafeModelError(
            f"{model_id} has its weights only as a pickle, and opening a pickle can run any code that its"
            " author put there. Use a model with safetensors or ONNX files, or pass allow_pickle=True if you"
            " trust it; then only its tensors are read (weights_only=True)."
        )
    raise ModelFormatError(_nothing_fits(model_id, tree, reasons))


def _candidates(options: LoadOptions) -> tuple[BackendSpec, ...]:
    """What may run it, in the order of preference: the backend asked for, or all that take the variant."""
    if options.backend == "auto":
        return tuple(item for item in BACKENDS if options.variant is None or item.name == "onnx")
    wanted = spec(options.backend)
    if options.variant is not None and wanted.name != "onnx" and not wanted.third_party:
        raise OptionError(
            f"variant={options.variant!r} names an ONNX file; with backend={wanted.name!r} leave it out"
        )
    return (wanted,)


def _best(backend: BackendSpec, found: list[Match], options: LoadOptions) -> tuple[Match | None, str]:
    """The first complete match that `backend` can read, else None and why not."""
    reason = _FITS_NO_LAYOUT.get(backend.name, "no layout that is complete")
    if options.variant is not None:
        reason = f"no ONNX file of variant {options.variant!r}"
    partial = ""
    for match in found:
        if not backend.third_party and backend.name not in match.layout.backends:
            continue
        missing = list(match.missing)
        variant = f"onnx:{options.variant}"
        if options.variant is not None and match.layout.any_of and variant not in match.paths:
            missing.append(variant)
        if not missing:
            return match, ""
        if len(missing) < len(match.layout.required) + bool(match.layout.any_of) and not partial:
            partial = f"{match.layout.name} layout without {' and '.join(missing)}"
    return None, partial or reason


def _needed(
    match: Match, tree: FileTree, known_card: ModelCard | None, options: LoadOptions
) -> Mapping[str, str]:
    """The match's paths without the ONNX variants that are not going to be run."""
    if not match.layout.any_of:
        return match.paths
    present = [use for use in match.layout.any_of if use in match.paths]
    chosen = (
        f"onnx:{options.variant}" if options.variant else _default_variant(present, tree, known_card, options)
    )
    kept = {chosen, f"{chosen}:data"}
    paths = {use: path for use, path in match.paths.items() if not use.startswith("onnx:") or use in kept}
    return MappingProxyType(paths | _external_data(chosen, paths, tree))


def _external_data(use: str, paths: Mapping[str, str], tree: FileTree) -> dict[str, str]:
    """By use, the files besides `<use>:data` in which a graph keeps tensors; none before it is downloaded.

    Raises:
        ModelFormatError: If one is outside the model's folder or missing, or the graph cannot be read.
    """
    graph = tree.folder / paths[use]
    if not graph.is_file():
        return {}
    check_inside(graph, tree.folder)
    check_sound(graph, repair="Download the model again.")
    folder = paths[use].rpartition("/")[0]
    found = [tree.inner(join(folder, tree.inner(location))) for location in external_data(graph)]
    for path in found:
        if path not in tree.paths and not (tree.folder / path).is_file():
            raise ModelFormatError(
                f"{graph} keeps tensors in {path}, which is missing; download the model again"
            )
    others = [path for path in found if path != paths.get(f"{use}:data")]
    return {f"{use}:data:{number}": path for number, path in enumerate(others)}


def _default_variant(
    present: list[str], tree: FileTree, known_card: ModelCard | None, options: LoadOptions
) -> str:
    """int8 on a CPU where the card says that its quality holds, else fp32, else what there is."""
    card = known_card
    if card is None and CARD_FILE in tree.paths:
        card = card_from_json(tree.json(CARD_FILE), source=str(tree.folder / CARD_FILE))
    on_cpu = options.device in (None, "cpu") and set(options.providers or ()) <= {"CPUExecutionProvider"}
    order = (
        ("onnx:int8", "onnx:fp32")
        if card is not None and card.int8_holds and on_cpu
        else ("onnx:fp32", "onnx:int8")
    )
    return next(use for use in order if use in present)


def _nothing_fits(model_id: str, tree: FileTree, reasons: list[str]) -> str:
    unfinished = [path for path in tree.paths if path.endswith((".incomplete", ".part"))]
    if not tree.paths:
        state = "the folder is empty"
    elif unfinished:
        state = f"a download did not finish ({sorted(unfinished)[0]}); download the model again"
    else:
        state = f"it has {len(tree.paths)} files"
    return f"no backend can run {model_id} from {tree.folder}: {state}. " + "; ".join(reasons) + "."
