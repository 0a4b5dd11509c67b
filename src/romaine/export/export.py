"""`export_model`: a torch model -> verified ONNX files, the contract of which every runtime can keep."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import onnx
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from romaine.backends.onnx import METADATA_MAX_TOKENS, METADATA_UNIFORM_ABOVE, open_session
from romaine.backends.options import LoadOptions
from romaine.backends.resolve import resolve_model
from romaine.backends.torch import load as load_torch
from romaine.checks import optional_path
from romaine.errors import BackendError, ModelFormatError, OptionError
from romaine.export.graph import EmbeddingGraph, trace
from romaine.export.parity import FP32, INT8, Limits, Parity, Reference, make_reference
from romaine.export.quantize import Rounding, quantize
from romaine.models import integrity
from romaine.models.card import Measure, ModelCard
from romaine.models.card_json import write_card

_PROTOBUF_LIMIT = 2**31 - 1
HEAD_FILE = "token_head.safetensors"
"""File in a model's folder whose tensor `weight`, (token_dim, hidden size), projects token states."""

_COPIED = ("tokenizer", "config", "tokenizer_config", "special_tokens_map")


@dataclass(frozen=True, kw_only=True)
class ExportedFile:
    """One file that passed its comparison with torch.

    Attributes:
        variant: "fp32" or "int8".
        path: Where it is.
        size: Bytes.
        parity: How close its vectors are to torch's.
        how: How it was made, in words.
    """

    variant: str
    path: Path
    size: int
    parity: Parity
    how: str


@dataclass(frozen=True, kw_only=True)
class ExportReport:
    """What an export wrote.

    Attributes:
        model: What was exported.
        folder: Where to.
        files: The ONNX files.
        full_dim: Components of the vectors.
        seconds: Time it took.
        notes: What did not go as asked, e.g. that attention could not be fused.
    """

    model: str
    folder: Path
    files: tuple[ExportedFile, ...]
    full_dim: int
    seconds: float
    notes: tuple[str, ...] = ()


def export_model(
    source: str | Path,
    out_dir: str | Path,
    *,
    int8: bool = False,
    fuse: bool = False,
    cache_folder: str | Path | None = None,
    local_files_only: bool = False,
    revision: str | None = None,
    allow_rejected: bool = False,
    threads: int | None = None,
) -> ExportReport:
    """Exports a model to `model.fp32.onnx` and, if asked for, `model.int8.onnx`.

    The graphs take `input_ids` and `attention_mask`, int64 (batch, length), both axes dynamic, and give
    `sentence_embedding`, float32 unit vectors (batch, full_dim); a model with a `token_head.safetensors` also
    `token_embeddings`, unit vectors (batch, length, token_dim). Each is compared with torch over texts of
    all lengths before it gets its name. Tokenizer, config and a `romaine.json` are written beside them, so
    that the folder opens as a model.

    Args:
        source: Catalog name, hub id or folder of a model that the torch backend runs.
        out_dir: Folder to write to; made if it is not there.
        int8: Whether to write the int8 file, too.
        fuse: Whether attention becomes one operator of ONNX Runtime; faster, and only that runtime has it.
        cache_folder: Hub cache; None for the hub's own.
        local_files_only: Never use the network.
        revision: Commit, tag or branch of a hub model.
        allow_rejected: Whether a model that failed its evaluation may be exported.
        threads: Threads of both runtimes during the comparison; None for their own choice.

    Raises:
        ModelFormatError: If a file's vectors are too far from torch's; it is not written.
        BackendError: If torch cannot export the model.
        ModelError: If the model cannot be found, read or trusted.
        OptionError: If `out_dir` cannot be written to.
    """
    started = time.monotonic()
    options = LoadOptions(
        backend="torch",
        cache_folder=optional_path("cache_folder", cache_folder),
        local_files_only=local_files_only,
        revision=revision,
        allow_rejected=allow_rejected,
        threads=threads,
    )
    local = resolve_model(source, options=options).local
    folder = _make_folder(out_dir)
    backend = load_torch(local, local.card, options)
    head = _token_head(local.folder)
    graph = EmbeddingGraph(
        backend.module, pooling=local.card.pooling, layer_norm=local.card.layer_norm, head=head
    ).eval()
    reference = make_reference(graph, backend.tokenizer, max_tokens=backend.max_tokens)
    model, how, notes = _trace(graph, fuse=fuse)
    _describe(model, uniform_above=backend.uniform_above, max_tokens=backend.max_tokens)
    writer = _CheckedWriter(folder=folder, reference=reference, threads=threads)
    files = [writer.write(model, "fp32", FP32, how)]
    if int8:
        files.append(writer.write_int8(model, how))
    for source_file in (local.files[use] for use in _COPIED if use in local.files):
        with suppress(shutil.SameFileError):
            shutil.copyfile(source_file, folder / source_file.name)
    token_dim = None if head is None else len(head)
    card = _card(local.card, files, folder, max_tokens=backend.max_tokens, token_dim=token_dim)
    write_card(card, folder)
    return ExportReport(
        model=local.id,
        folder=folder,
        files=tuple(files),
        full_dim=backend.full_dim,
        seconds=time.monotonic() - started,
        notes=notes,
    )


@dataclass(frozen=True, kw_only=True)
class _CheckedWriter:
    """Writes a graph under its final name only once it has proved itself."""

    folder: Path
    reference: Reference
    threads: int | None

    def write(self, model: onnx.ModelProto, variant: str, limits: Limits, how: str) -> ExportedFile:
        path = self.folder / f"model.{variant}.onnx"
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            _save(model, temporary)
            session = open_session(temporary, threads=self.threads)
            parity = self.reference.compare(session)
            del session  # on Windows an open file cannot be renamed
            if not parity.holds(limits):
                raise ModelFormatError(
                    f"{path.name} is not written: over {parity.texts} texts of up to {parity.longest} tokens"
                    f" its vectors have a cosine to torch's of {parity.worst:.5f} at worst and"
                    f" {parity.mean:.5f} on average; {limits.worst:g} and {limits.mean:g} are needed."
                )
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        return ExportedFile(variant=variant, path=path, size=path.stat().st_size, parity=parity, how=how)

    def write_int8(self, model: onnx.ModelProto, how: str) -> ExportedFile:
        """Tries the ways to round from the fastest to the most exact, and keeps the first that holds."""
        refusals: list[str] = []
        for rounding in Rounding:
            try:
                return self.write(quantize(model, rounding), "int8", INT8, f"{how}, {rounding.value}")
            except ModelFormatError as error:
                refusals.append(f"{rounding.value}: {error}")
        raise ModelFormatError(
            "no way of rounding to int8 keeps this model's quality; use model.fp32.onnx. "
            + " ".join(refusals)
        )


def _trace(graph: EmbeddingGraph, *, fuse: bool) -> tuple[onnx.ModelProto, str, tuple[str, ...]]:
    """The graph, how it was made, and notes; plain where fusing is not possible."""
    if not fuse:
        return trace(graph, fuse=False), "plain operators", ()
    try:
        return trace(graph, fuse=True), "fused attention", ()
    except BackendError as error:
        note = f"attention was left in plain operators: {error}"
        return trace(graph, fuse=False), "plain operators", (note,)


def _describe(model: onnx.ModelProto, *, uniform_above: int | None, max_tokens: int | None) -> None:
    """Writes into the file what a graph cannot say by itself."""
    facts = {METADATA_UNIFORM_ABOVE: uniform_above, METADATA_MAX_TOKENS: max_tokens}
    for key, value in facts.items():
        if value is not None:
            model.metadata_props.add(key=key, value=str(value))


def _token_head(folder: Path) -> torch.Tensor | None:
    """The projection of token states, where the model has one.

    Raises:
        ModelFormatError: If its file is damaged.
    """
    path = folder / HEAD_FILE
    if not path.is_file():
        return None
    try:
        weight = load_file(path)["weight"]
    except (OSError, SafetensorError, KeyError) as error:
        raise ModelFormatError(f"{path} cannot be read ({error}); train or download it again") from None
    return weight.to(torch.float32)


def _card(
    card: ModelCard,
    files: list[ExportedFile],
    folder: Path,
    *,
    max_tokens: int | None,
    token_dim: int | None,
) -> ModelCard:
    """The card of the exported files: layer-norm is inside them, and their int8 quality is known."""
    paths = {f"onnx:{item.variant}": item.path.name for item in files} | {"tokenizer": "tokenizer.json"}
    measured = [
        Measure(
            name=f"{item.variant} {which} cosine to torch", value=round(value, 6), command="romaine export"
        )
        for item in files
        for which, value in (("worst", item.parity.worst), ("mean", item.parity.mean))
    ]
    return replace(
        card,
        max_tokens=max_tokens,
        token_dim=token_dim,
        layer_norm=False,
        unit_output=True,
        files=paths,
        backends=("onnx",),
        int8_holds=any(item.variant == "int8" for item in files),
        size=max(item.size for item in files),
        measured=(*card.measured, *measured),
        sha256={path: integrity.sha256_of(folder / path) for path in paths.values()},
        bundled=False,
    )


def _make_folder(out_dir: str | Path) -> Path:
    folder = Path(out_dir)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or error
        raise OptionError(f"{folder} cannot be written to ({reason}); name a folder") from None
    return folder


def _save(model: onnx.ModelProto, path: Path) -> None:
    size = model.ByteSize()
    if size > _PROTOBUF_LIMIT:
        raise ModelFormatError(
            f"the graph has {size / 1e9:.1f} GB; an ONNX file holds at most 2 GB. Use the torch backend."
        )
    try:
        onnx.save_model(model, str(path))
    except OSError as error:
        raise OptionError(f"{path.parent} cannot be written to ({error.strerror or error})") from None
