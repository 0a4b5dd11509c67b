"""Hub models: what is in the local cache, found without a library or network, and downloading what is not.

The cache's layout is the hub's published one: `models--<org>--<name>/` holds `refs/<revision>`,
`snapshots/<commit>/...` and `blobs/<hash>`; a ref holds a commit and a snapshot holds links to blobs.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partialmethod
from pathlib import Path
from typing import Any, TypeVar

from romaine.errors import ModelFormatError, ModelNotFoundError, OfflineError

_HTTP_LIBRARIES = ("httpx", "httpcore", "httpx2", "httpcore2", "requests", "huggingface_hub")
"""What huggingface-hub has spoken HTTP with, by version; their errors mean that nothing arrived."""

_PATIENCE = 10.0  # seconds for an answer
_SILENCE = 30.0  # seconds in which a hub that gave none is not asked again
_unreachable = {"until": 0.0}

_T = TypeVar("_T")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_TRUE = frozenset({"1", "ON", "YES", "TRUE"})


@dataclass(frozen=True, kw_only=True)
class HubRepository:
    """A model repository of the hub, at one revision.

    Attributes:
        id: organisation/name.
        revision: Commit, tag or branch.
        cache: The hub cache's folder.
        offline: Whether the network may not be used.
        token: Access token for private and gated models, or None for the one signed in with, if any.
    """

    id: str
    revision: str
    cache: Path
    offline: bool
    token: str | None = field(default=None, repr=False)

    @property
    def folder(self) -> Path:
        """The repository's folder in the cache, which may not exist."""
        return self.cache / ("models--" + self.id.replace("/", "--"))

    def snapshot(self) -> Path | None:
        """The cached files of this revision, or None."""
        commit = self.revision
        ref = self.folder / "refs" / self.revision
        with suppress(OSError, UnicodeDecodeError):
            commit = ref.read_text(encoding="utf-8").strip()
        if not _COMMIT.fullmatch(commit):
            return None
        found = self.folder / "snapshots" / commit
        return found if found.is_dir() else None

    def has_unfinished_download(self) -> bool:
        """Whether a download into the cache was interrupted."""
        return any((self.folder / "blobs").glob("*.incomplete"))

    def listing(self) -> list[str]:
        """Relative paths of the repository's files, from the network.

        Raises:
            OfflineError: If the network may not or cannot be used.
            ModelNotFoundError: If the hub has no such repository or revision.
        """
        self._require_network()
        from huggingface_hub import HfApi

        # one request; `list_repo_files` asks an unreachable hub six times, and prints each
        info = self._ask(
            lambda: HfApi(token=self.token).model_info(self.id, revision=self.revision, timeout=_PATIENCE)
        )
        return [file.rfilename for file in info.siblings or ()]

    def download(self, paths: Iterable[str], *, force: bool = False, show_progress: bool = False) -> Path:
        """Brings `paths` and nothing else into the cache, resuming where an earlier attempt stopped.

        Args:
            paths: Relative paths.
            force: Whether what is in the cache is downloaded again.
            show_progress: Whether the hub's progress bars are shown.

        Returns:
            The snapshot's folder.

        Raises:
            OfflineError: If the network may not or cannot be used.
            ModelNotFoundError: If the hub has no such repository or revision.
            ModelFormatError: If a file cannot be stored.
        """
        self._require_network()
        from huggingface_hub import snapshot_download

        folder = self._ask(
            lambda: snapshot_download(
                self.id,
                revision=self.revision,
                cache_dir=self.cache,
                # each as a pattern that matches only itself
                allow_patterns=[re.sub(r"([*?\[])", r"[\1]", path) for path in paths],
                force_download=force,
                token=self.token,
                tqdm_class=None if show_progress else _silent_progress(),
            )
        )
        return Path(folder)

    def _require_network(self) -> None:
        if self.offline:
            raise self.offline_error("the network may not be used (local_files_only or HF_HUB_OFFLINE)")
        if time.monotonic() < _unreachable["until"]:
            raise self.offline_error(f"the hub did not answer within the last {_SILENCE:.0f} seconds")

    def offline_error(self, reason: str) -> OfflineError:
        """The error that says what to do without a network."""
        return OfflineError(
            f"{self.id} (revision {self.revision}) is not complete in {self.cache}, and {reason}."
            f" On a machine with a network run 'romaine models download {self.id}', then copy"
            f" {self.folder.name} into that folder, or pass cache_folder=, or the folder of its files."
            " The bundled little-gem needs no download."
        )

    def _ask(self, call: Callable[[], _T]) -> _T:
        from huggingface_hub import errors as hub_errors

        try:
            return call()
        except hub_errors.GatedRepoError:
            raise ModelNotFoundError(
                f"{self.id} is gated: accept its terms on the hub, then sign in with 'hf auth login'"
                " or pass token="
            ) from None
        except hub_errors.RevisionNotFoundError:
            raise ModelNotFoundError(f"{self.id} has no revision {self.revision!r} on the hub") from None
        except hub_errors.RepositoryNotFoundError:
            raise ModelNotFoundError(
                f"the hub has no model {self.id!r}, or it is private: sign in with 'hf auth login'"
                " or pass token="
            ) from None
        except PermissionError as error:
            raise ModelFormatError(
                f"{self.cache} cannot be written ({error.strerror}); pass cache_folder="
            ) from None
        except Exception as error:
            # The hub's errors and most of its HTTP library's derive from these; each means "did not arrive".
            is_known = isinstance(error, (OSError, RuntimeError, ValueError))
            if not is_known and type(error).__module__.partition(".")[0] not in _HTTP_LIBRARIES:
                raise
            _unreachable["until"] = time.monotonic() + _SILENCE
            raise self.offline_error(f"the hub did not answer ({type(error).__name__})") from None


def hub_cache(cache_folder: Path | None) -> Path:
    """The folder of the hub cache: the one asked for, or what the hub's environment variables say."""
    if cache_folder is not None:
        return cache_folder.expanduser()
    env = os.environ
    direct = env.get("HF_HUB_CACHE") or env.get("HUGGINGFACE_HUB_CACHE")
    home = env.get("HF_HOME") or os.path.join(env.get("XDG_CACHE_HOME") or "~/.cache", "huggingface")  # noqa: PTH118
    path = os.path.expandvars(direct or os.path.join(home, "hub"))  # noqa: PTH118
    return Path(os.path.expanduser(path))  # noqa: PTH111 - unlike Path.expanduser it does not raise without a home


def is_offline() -> bool:
    """Whether the hub's environment variables forbid the network."""
    return (os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or "").upper() in _TRUE


def _silent_progress() -> Any:
    import huggingface_hub.utils

    bar: Any = huggingface_hub.utils.tqdm  # type: ignore[attr-defined]
    return type("SilentProgress", (bar,), {"__init__": partialmethod(bar.__init__, disable=True)})
