"""The teacher: a transformer whose vectors of texts and of single tokens a static table learns from."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import AutoModel

from romaine.arrays import FloatArray, Pooling, l2_normalize
from romaine.errors import ModelFormatError, ModelNotFoundError, UnsafeModelError

_CHUNK = 4096  # texts between two writes to the cache; also the window in which texts are sorted by length

Advance = Callable[[int], None]
"""Called with the number of texts just finished."""


class Teacher(Protocol):
    """What the recipe needs of a teacher.

    Attributes:
        tokenizer: Whose vocabulary the student takes over.
        dim: Components of its vectors.
        fingerprint: Changes whenever its vectors would.
    """

    tokenizer: Tokenizer
    dim: int
    fingerprint: str

    def encode(self, rows: Sequence[Sequence[int]]) -> FloatArray:
        """Unit vectors float32 (n, dim) of token ids without special tokens."""
        ...


class TransformerTeacher:
    """An encoder with mean pooling in a local folder: config.json, model.safetensors, tokenizer.json.

    Args:
        folder: Where the files are.
        device: Torch device, e.g. "cpu" or "cuda".
        batch_tokens: Padded tokens in a batch.

    Raises:
        ModelNotFoundError: If the folder is not there.
        ModelFormatError: If files are missing or damaged, or it pools in another way than mean or CLS.
        UnsafeModelError: If its weights are only there as a pickle.
    """

    def __init__(self, folder: str | Path, *, device: str = "cpu", batch_tokens: int = 4096) -> None:
        self._folder = Path(folder)
        _check_folder(self._folder)
        self._pooling = _read_pooling(self._folder)
        try:
            self.tokenizer = Tokenizer.from_file(str(self._folder / "tokenizer.json"))
            model = AutoModel.from_pretrained(self._folder, local_files_only=True, use_safetensors=True)
        except Exception as error:  # tokenizers raises bare Exception; transformers a dozen kinds
            raise ModelFormatError(f"the teacher in {self._folder} cannot be loaded: {error}") from error
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()
        self._model = model.to(device=device, dtype=torch.float32).eval()
        self._device = device
        self._batch_tokens = batch_tokens
        self.dim = int(model.config.hidden_size)
        frame = self.tokenizer.encode("", add_special_tokens=True).ids
        self._before, self._after = frame[: len(frame) // 2], frame[len(frame) // 2 :]
        digest = sha256((self._folder / "model.safetensors").read_bytes())
        digest.update((self._folder / "tokenizer.json").read_bytes() + self._pooling.value.encode())
        self.fingerprint = digest.hexdigest()

    def encode(self, rows: Sequence[Sequence[int]]) -> FloatArray:
        """Unit vectors of token ids.

        Args:
            rows: Token ids of each text, without special tokens.

        Returns:
            float32 (n, dim).
        """
        vectors = np.empty((len(rows), self.dim), dtype=np.float32)
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
        start = 0
        while start < len(order):
            stop = start + 1
            while (
                stop < len(order) and (stop + 1 - start) * (len(rows[order[stop]]) + 2) <= self._batch_tokens
            ):
                stop += 1
            batch = order[start:stop]
            vectors[batch] = self._encode_batch([rows[i] for i in batch])
            start = stop
        return l2_normalize(vectors)

    @torch.inference_mode()
    def _encode_batch(self, rows: Sequence[Sequence[int]]) -> Any:
        framed = [[*self._before, *row, *self._after] for row in rows]
        width = max(map(len, framed))
        ids = torch.tensor([row + [0] * (width - len(row)) for row in framed], device=self._device)
        mask = torch.tensor(
            [[1] * len(row) + [0] * (width - len(row)) for row in framed], device=self._device
        )
        states = self._model(input_ids=ids, attention_mask=mask).last_hidden_state
        if self._pooling is Pooling.CLS:
            return states[:, 0].cpu().numpy()
        weights = mask[..., None].to(states.dtype)
        return ((states * weights).sum(1) / weights.sum(1)).cpu().numpy()


def teach(
    teacher: Teacher,
    rows: Sequence[Sequence[int]],
    *,
    cache: Path | None = None,
    advance: Advance | None = None,
) -> FloatArray:
    """The teacher's vectors of all texts, from the cache as far as they are there.

    A run that is stopped continues after its last finished chunk.

    Args:
        teacher: Who encodes.
        rows: Token ids of each text.
        cache: Folder for the vectors; None keeps nothing.
        advance: Called as texts are finished.

    Returns:
        float32 (n, dim), unit length.
    """
    if cache is None:
        vectors = np.empty((len(rows), teacher.dim), dtype=np.float32)
        done = 0
    else:
        cache.mkdir(parents=True, exist_ok=True)
        name = f"teacher-{_fingerprint(teacher, rows)}"
        finished, partial, progress = (
            cache / f"{name}{end}" for end in (".npy", ".partial.npy", ".progress")
        )
        if finished.exists():
            _report(advance, len(rows))
            return np.asarray(np.load(finished, allow_pickle=False), dtype=np.float32)
        done = int(progress.read_text()) if progress.exists() and partial.exists() else 0
        shape = (len(rows), teacher.dim)
        vectors = np.lib.format.open_memmap(
            partial, mode="r+" if done else "w+", dtype=np.float32, shape=None if done else shape
        )
    _report(advance, done)
    for start in range(done, len(rows), _CHUNK):
        chunk = rows[start : start + _CHUNK]
        vectors[start : start + len(chunk)] = teacher.encode(chunk)
        if cache is not None:
            assert isinstance(vectors, np.memmap)
            vectors.flush()
            progress.write_text(str(start + len(chunk)))
        _report(advance, len(chunk))
    if cache is not None:
        partial.replace(finished)
        progress.unlink(missing_ok=True)
    return np.asarray(vectors)


def _report(advance: Advance | None, count: int) -> None:
    if advance is not None:
        advance(count)


def _fingerprint(teacher: Teacher, rows: Sequence[Sequence[int]]) -> str:
    digest = sha256(teacher.fingerprint.encode())
    for row in rows:
        digest.update(np.asarray([len(row), *row], dtype=np.int32).tobytes())
    return digest.hexdigest()[:24]


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise ModelNotFoundError(
            f"no teacher in {folder}: give a folder with config.json, model.safetensors and tokenizer.json"
        )
    missing = [
        n for n in ("config.json", "model.safetensors", "tokenizer.json") if not (folder / n).is_file()
    ]
    if missing == ["model.safetensors"] and (folder / "pytorch_model.bin").exists():
        raise UnsafeModelError(
            f"the teacher in {folder} is only there as a pickle; convert it to safetensors first"
        )
    if missing:
        raise ModelFormatError(f"the teacher in {folder} lacks {', '.join(missing)}; complete the download")


def _read_pooling(folder: Path) -> Pooling:
    path = folder / "1_Pooling" / "config.json"
    if not path.is_file():
        return Pooling.MEAN
    try:
        config = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelFormatError(f"{path} cannot be read: {error}") from error
    modes = {"pooling_mode_mean_tokens": Pooling.MEAN, "pooling_mode_cls_token": Pooling.CLS}
    active = [name for name, value in config.items() if name.startswith("pooling_mode_") and value is True]
    if len(active) != 1 or active[0] not in modes:
        raise ModelFormatError(f"{path} pools by {active}; a teacher must use one of {', '.join(modes)}")
    return modes[active[0]]
