"""Counting the texts that lose their end, and saying so once."""

from __future__ import annotations

import threading
import warnings


class TruncationWarning(UserWarning):
    """Texts were longer than the model's window and lost their end. Given once by each `Embedder`."""


class Truncations:
    """How many texts of one embedder were cut. Safe to call from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.count = 0

    def __reduce__(self) -> tuple[type[Truncations], tuple[()]]:
        """A copy counts for itself."""
        return Truncations, ()

    def report(self, count: int, *, max_tokens: int | None, model: str, stacklevel: int) -> None:
        """Adds to the count; warns the first time.

        Args:
            count: Texts that were cut, at least one.
            max_tokens: The model's window.
            model: The model's id.
            stacklevel: Of the warning, counted from the caller of this method.
        """
        with self._lock:
            first = self.count == 0
            self.count += count
        if first:
            warnings.warn(
                f"{count} texts exceed the {max_tokens} tokens of {model} and lose their end;"
                ' truncate="pool" embeds all of them, truncate="error" refuses them'
                " (said once; see Embedder.truncated)",
                TruncationWarning,
                stacklevel=stacklevel + 1,
            )
