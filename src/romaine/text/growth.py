"""How much longer a `tokenizer.json` may make a text, found out before its library reads the file.

The library has no bound of its own, and memory that it cannot get ends the process rather than raising an
error. A short file is enough: twenty replacements of one character by ten, one after another, make 10^20.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from romaine.errors import ModelFormatError, one_line

MOST_GROWTH = 128
"""Characters, or copies of its tokens, that one character of a text may become. Published tokenizers stay
under 40: sentencepiece's tables spell a ligature out in 18 characters."""

MOST_ADDED = 4096
"""Special tokens that may be put around a text. Published tokenizers put two or three."""

_COLON = re.compile(r"\s*:\s*")
_ESCAPED_LETTER = re.compile(r"\\u00[567]")
_SURELY_SOMETHING = re.compile(
    r"(?:[^\\^$.|?*+()\[\]{}]|\\[sSdDwWnrt]|\[[^\\\[\]^]+\])(?:\+|\{([1-9]\d{0,3}),?\})?"
)
"""A regular expression for one character or a run of them, which cannot match the empty string."""

_OWN_GROWTH = {"ByteLevel": 4, "BertNormalizer": 3}
"""What some kinds do without a setting that says so, each time they are listed. The others do what Unicode
says, which ends by itself."""


def check_growth(path: Path) -> None:
    """Refuses a `tokenizer.json` that may make texts grow beyond `MOST_GROWTH` and `MOST_ADDED`.

    Raises:
        ModelFormatError: If it may, or if the file cannot be read.
    """
    most = {"normalizer": 1.0, "pre_tokenizer": 1.0, "post_processor": 1.0}
    added = 0.0
    try:
        for key, component in _components(path.read_text(encoding="utf-8")):
            is_last = key == "post_processor"
            growth, tokens = _post_processor(component) if is_last else (_normalizer(component), 0.0)
            # Of a key that stands there twice, the library may take either
            most[key], added = max(most[key], growth), max(added, tokens)
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise ModelFormatError(
            f"{path} is not a readable tokenizer.json ({one_line(error)}). Download the model's files again."
        ) from None
    for amount, limit, what in (
        (math.prod(most.values()), MOST_GROWTH, "make {} characters or tokens of each character of a text"),
        (added, MOST_ADDED, "put {} special tokens around a text"),
    ):
        if amount > limit:
            raise ModelFormatError(
                f"{path} may {what.format(f'{amount:.3g}')}; {limit} are allowed, as more can use up all"
                " memory and end the process. Use the tokenizer.json that was published with the model."
            )


def _components(text: str) -> Iterator[tuple[str, Any]]:
    """What stands in the file under the keys of the parts that can grow a text, at any depth.

    Only the values of these keys are parsed: the vocabulary is nine tenths of the file. Where a key might be
    spelled in escapes, all of it is.
    """
    if "\\u00" in text and _ESCAPED_LETTER.search(text):
        text = json.dumps(json.loads(text), ensure_ascii=False)
    decoder = json.JSONDecoder()
    for key in ("normalizer", "pre_tokenizer", "post_processor"):
        end = 0
        while (start := text.find(f'"{key}"', end)) >= 0:
            end = start + len(key) + 2
            if colon := _COLON.match(text, end):  # a token may be called "normalizer", too
                value, _ = decoder.raw_decode(text, colon.end())
                if isinstance(value, dict):
                    yield key, value


def _normalizer(component: dict[str, Any]) -> float:
    """Characters that one may become in a normaliser or pre-tokenizer.

    Settings count rather than the type, as the library goes by them where no type is given.
    """
    growth = float(_OWN_GROWTH.get(str(component.get("type")), 1))
    if "prepend" in component:
        growth += len(component["prepend"])  # put before each piece between special tokens
    if "content" in component:
        growth *= _replacement(component.get("pattern"), len(component["content"]))
    if component.get("precompiled_charsmap"):
        growth *= _longest_spelling(component["precompiled_charsmap"])
    for inner in (*(component.get("normalizers") or ()), *(component.get("pretokenizers") or ())):
        growth *= _normalizer(inner)
    return growth


def _replacement(pattern: Any, length: int) -> float:
    if isinstance(pattern, dict) and isinstance(pattern.get("String"), str):
        return max(1.0, length / max(len(pattern["String"]), 1))
    expression = pattern.get("Regex") if isinstance(pattern, dict) else None
    if isinstance(expression, str) and (found := _SURELY_SOMETHING.fullmatch(expression)):
        return max(1.0, length / int(found[1] or 1))
    return 1.0 + 2.0 * length  # it may match nothing: before and after every character


def _longest_spelling(charsmap: str) -> int:
    """Characters of the longest string in sentencepiece's table: a trie's size, the trie, the strings."""
    table = base64.b64decode(charsmap, validate=True)
    strings = table[4 + int.from_bytes(table[:4], "little") :]
    return max(1, max(len(item.decode("utf-8", "replace")) for item in strings.split(b"\0")))


def _post_processor(component: dict[str, Any]) -> tuple[float, float]:
    """Copies of a text's tokens in the result, and special tokens around them."""
    copies, added = 1.0, 4.0  # BERT's and RoBERTa's put at most four
    if "single" in component:
        ids = {name: len(token["ids"]) for name, token in component["special_tokens"].items()}
        for template in (component["single"], component.get("pair") or ()):
            texts = [piece["Sequence"]["id"] for piece in template if "Sequence" in piece]
            copies = max([copies, *(float(texts.count(name)) for name in set(texts))])
            added = max(
                added, sum(ids[piece["SpecialToken"]["id"]] for piece in template if "SpecialToken" in piece)
            )
    for inner in component.get("processors") or ():
        more, tokens = _post_processor(inner)
        copies, added = copies * more, added * more + tokens
    return copies, added
