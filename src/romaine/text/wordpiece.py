"""BERT's tokenizer on a plain ASCII chunk: lowering, one regular expression, and the Rust WordPiece model.

Nothing else of the pipeline has anything to do there, and leaving it out saves four fifths of the time.
"""

from __future__ import annotations

import json
import re
from typing import Any

# Letters and digits together, each other printable character alone: BertPreTokenizer within ASCII.
_WORD = re.compile(r"[0-9A-Za-z]+|[!-/:-@\[-`{-~]")


class AsciiWordPiece:
    """Token ids of plain ASCII chunks.

    Args:
        rust: A tokenizer for which `romaine.text.chunks.splits_at_spaces` holds.
    """

    def __init__(self, rust: Any) -> None:
        self._model = rust.model
        self._lowercase = bool(settings_of(rust.normalizer).get("lowercase"))
        self._may_be_added = _first_characters(rust)

    def ids(self, chunk: str) -> list[int] | None:
        """The tokens of `chunk`, which holds no space; None if it is more than plain words.

        More is anything not printable ASCII, or with a character that a special or added token begins with.
        """
        if not chunk.isascii() or not chunk.isprintable() or not self._may_be_added.isdisjoint(chunk):
            return None
        text = chunk.lower() if self._lowercase else chunk
        words = (text,) if text.isalnum() else _WORD.findall(text)
        return [token.id for word in words for token in self._model.tokenize(word)]


def settings_of(component: Any) -> dict[str, Any]:
    """What tokenizer.json says of a normaliser or pre-tokenizer; empty if there is none."""
    if component is None:
        return {}
    try:
        settings = json.loads(component.__getstate__())
    except Exception:  # a component written in Python has no settings to read
        return {}
    return settings if isinstance(settings, dict) else {}


def added_spellings(rust: Any) -> list[str]:
    """Special and added tokens, as they are and as the normaliser writes them."""
    added = [token.content for token in rust.get_added_tokens_decoder().values()]
    return added + [rust.normalizer.normalize_str(content) for content in added]


def _first_characters(rust: Any) -> frozenset[str]:
    first = "".join(spelling[:1] for spelling in added_spellings(rust))
    return frozenset(first + first.lower() + first.upper())
