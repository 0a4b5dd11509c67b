"""Whether a model was verified: verdicts kept beside the model, each for exact files and one backend.

`romaine verify` writes them. In a folder they are in `romaine-verdict.json`; of a hub model, of one that
another distribution ships, of the bundled one (whose package is left alone and brings its own verdict) and of
a folder that cannot be written, in romaine's cache (see `romaine.models.integrity`). A verdict counts as long
as weights, tokenizer, pooling, prompts, dims and int8 ranges are what they were and the verifier is of the
same version.

It is a note, not a signature: whoever can write into the folder can write one. A hub repository and another
distribution cannot vouch for themselves, as their own verdict files are never read.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from romaine.deserialise import deserialise
from romaine.errors import ModelNotFoundError, OptionError, RejectedModelError, UnverifiedModelError
from romaine.models import catalog
from romaine.models.files import LocalModel, first_fingerprint
from romaine.models.integrity import cache_folder, sha256_of_json, short_sha256, write_if_possible
from romaine.models.names import parse_name

VERIFIER_VERSION = 2
"""Goes up with every change of the probe set, the checks or the floors; older verdicts are void then."""

VERDICT_FILE = "romaine-verdict.json"

_KEPT = 16  # verdicts in one file: several backends and ONNX files, and a few earlier states
_SETTINGS = ("pooling", "layer_norm", "dims", "max_tokens", "unit_output")


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a verification found.

    Attributes:
        key: Of the model as it was verified, from `verdict_key`.
        passed: PASS or REJECT.
        reasons: Why it was rejected.
        model: The model's id, for people.
        backend: The backend that ran it.
        verifier: `VERIFIER_VERSION` then.
        at: When, ISO 8601 in UTC.
    """

    key: str
    passed: bool
    reasons: tuple[str, ...] = ()
    model: str = ""
    backend: str = ""
    verifier: int = VERIFIER_VERSION
    at: str = ""

    @property
    def is_current(self) -> bool:
        """Whether this version of the verifier gave it."""
        return self.verifier == VERIFIER_VERSION


def verdict_key(local: LocalModel, backend: str) -> str:
    """Identifies a model as one backend runs it: its fingerprint, all files it reads, and what is done there.

    The card's own file does not count, but what it says about vectors does.
    """
    card = local.card
    prompts = card.prompts
    parts = {
        # The first form will do beside all files; with it, verdicts stay valid that were given under it.
        "fingerprint": first_fingerprint(local, query_prompt=prompts.query, document_prompt=prompts.document),
        "files": {use: local.sha256(use) for use in sorted(local.files) if use != "card"},
        "backend": backend,
        **{name: getattr(card, name) for name in _SETTINGS},
        "int8_ranges": dict(card.int8_ranges),
    }
    if card.token_dim is not None:
        parts["token_dim"] = card.token_dim
    if others := sorted({*card.languages} - {"en"}):
        parts["languages"] = others  # English is looked at whatever the card says
    return sha256_of_json(parts)


def save(verdict: Verdict, local: LocalModel) -> Path | None:
    """Keeps a verdict beside the model, in place of an earlier one for the same state of it.

    Returns:
        The file it is in, or None where neither the folder nor the cache can be written.
    """
    for path in _places(local):
        others = [item for item in _read(path) if item.key != verdict.key and item.is_current]
        values = {"schema": 1, "verdicts": [asdict(item) for item in [verdict, *others][:_KEPT]]}
        # a model's folder is for everyone
        if write_if_possible(path, values, "the verdict is not kept", mode=0o644):
            return path
    return None


def find(local: LocalModel, backend: str) -> Verdict | None:
    """The verdict on a model as `backend` runs it, of any version of the verifier; None if there is none.

    Of several, a current one wins, then the latest.
    """
    key = verdict_key(local, backend)
    found = [item for path in _places(local) for item in _read(path) if item.key == key]
    return max(found, key=lambda item: (item.is_current, item.at, not item.passed), default=None)


def require_pass(local: LocalModel, backend: str, *, variant: str | None = None) -> None:
    """Refuses a model that has no PASS.

    Args:
        local: The model, opened.
        backend: What runs it.
        variant: Which ONNX file was asked for, for the command in the message.

    Raises:
        RejectedModelError: If it was verified and rejected.
        UnverifiedModelError: If it was never verified, or not in this state or by this version.
    """
    verdict = find(local, backend)
    options = f" --variant {variant}" if variant else ""
    command = f"romaine verify {local.id} --backend {backend}{options}"
    if verdict is None:
        known = [item for path in _places(local) for item in _read(path)]
        state = "the stored verdicts are for other files, settings or backends" if known else "none is stored"
        raise UnverifiedModelError(
            f"{local.id} on backend {backend!r} has no PASS: {state}, and require_verified=True asks for one."
            f" Run: {command}"
        )
    if not verdict.is_current:
        raise UnverifiedModelError(
            f"{local.id} on backend {backend!r} was verified by version {verdict.verifier} of the verifier,"
            f" this is version {VERIFIER_VERSION}. Run: {command}"
        )
    if not verdict.passed:
        raise RejectedModelError(
            f"{local.id} on backend {backend!r} was verified and rejected: {'; '.join(verdict.reasons)}."
            f" Choose another model, or run again after a repair: {command}"
        )


def _places(local: LocalModel) -> tuple[Path, ...]:
    """Where verdicts on a model may be, the place to write to first."""
    cached = cache_folder() / "verdicts" / f"{short_sha256(str(local.folder.resolve()))}.json"
    beside = local.folder / VERDICT_FILE
    if local.id == catalog.BUNDLED:
        return (cached, beside)
    return (cached,) if _is_of_others(local.id) else (beside, cached)


def _is_of_others(model_id: str) -> bool:
    """Whether a model is of the hub or of another distribution."""
    try:
        name = parse_name(model_id)
    except ModelNotFoundError:  # a folder given relative to another working directory
        return False
    return name.is_hub or bool(name.package)


def _read(path: Path) -> list[Verdict]:
    """The verdicts in a file; none if it is not there. A damaged entry counts as none."""
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["verdicts"]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return []
    if not isinstance(entries, list):
        return []
    found = []
    for entry in entries:
        with suppress(OptionError):
            verdict = deserialise(Verdict, entry, where=VERDICT_FILE, ignore_unknown=True)
            if "verifier" in entry:  # the field's default is this version
                found.append(verdict)
    return found
