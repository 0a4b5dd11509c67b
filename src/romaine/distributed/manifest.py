"""The output folder: part files that count once they have their names, and the manifest that says of what."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import IO, Any
from uuid import uuid4

from romaine.distributed.partitions import Partition
from romaine.errors import InputFileError, OptionError, WorkerError

NAME = "_manifest.json"
_HIDDEN = "_writing-"
"""How files begin that are being written. Readers of Parquet folders leave out what begins so."""


class Manifest:
    """What stands in an output folder. Goes to actors as it is.

    Args:
        files: The file system of the folder.
        folder: Its path there.
        settings: What stands in it besides: what two runs must share to go on with each other's work.
    """

    def __init__(self, files: Any, folder: str, settings: dict[str, Any]) -> None:
        self._files, self._folder, self.settings = files, folder.rstrip("/"), settings

    def begin(self, cuts: Sequence[Partition], *, resume: bool, overwrite: bool) -> list[Partition] | None:
        """Looks at what is there.

        Args:
            cuts: The partitions of the input as it is now, not numbered.
            resume: Whether to go on with it.
            overwrite: Whether to delete it.

        Returns:
            The partitions of the run to go on with, with their numbers; None if there is none.

        Raises:
            OptionError: If something is there and is to be kept, or was begun with other settings.
            InputFileError: If it was made of another input.
        """
        names = self._names()
        if not names:
            return None
        if NAME not in names:
            raise OptionError(f"{self._folder} holds other files than results of this; choose another folder")
        if overwrite:
            for name in [NAME, *(name for name in names if name.startswith(("part-", _HIDDEN)))]:
                self._files.rm_file(f"{self._folder}/{name}")
            return None
        if not resume:
            raise OptionError(
                f"{self._folder} has results; pass --resume to go on with them or --overwrite to begin anew"
            )
        return self._read(cuts)

    def _read(self, cuts: Sequence[Partition]) -> list[Partition]:
        try:
            noted = json.loads(self._files.cat_file(f"{self._folder}/{NAME}"))
            begun_with = noted["settings"]
            known = [Partition(**each) for each in noted["partitions"]]
        except (ValueError, TypeError, LookupError, RecursionError):
            raise OptionError(f"{self._folder}/{NAME} is damaged; pass --overwrite to begin anew") from None
        if begun_with != self.settings:
            raise OptionError(
                f"{self._folder} was begun with {begun_with}, now it is {self.settings};"
                " use the same settings or --overwrite"
            )
        if [replace(each, first=-1, rows=-1) for each in known] != list(cuts):
            raise InputFileError(
                f"the input is not what it was when {self._folder} was begun; pass --overwrite to begin anew"
            )
        return known

    def write(self, partitions: Sequence[Partition], *, complete: bool = False) -> None:
        """Says what the part files are of."""
        said = {
            "complete": complete,
            "settings": self.settings,
            "partitions": [asdict(each) for each in partitions],
        }
        with self.new_file(NAME) as file:
            file.write(json.dumps(said, indent=1).encode())

    def done(self) -> set[int]:
        """Numbers of the partitions whose part files are there."""
        found = (re.fullmatch(r"part-(\d+)\..*", name) for name in self._names())
        return {int(name[1]) for name in found if name}

    def finish(self, partitions: Sequence[Partition]) -> None:
        """Clears away what lost workers left, and says that all is there.

        Raises:
            WorkerError: If it is not.
        """
        missing = set(range(len(partitions))) - self.done()
        if missing:
            raise WorkerError(
                f"{len(missing)} of {len(partitions)} part files are missing in {self._folder}; pass --resume"
            )
        self.write(partitions, complete=True)
        for name in self._names():
            if name.startswith(_HIDDEN):
                self._files.rm_file(f"{self._folder}/{name}")

    def part(self, number: int) -> str:
        """Name of a partition's file."""
        return f"part-{number:06d}{self.settings['suffix']}"

    @contextmanager
    def new_file(self, name: str) -> Iterator[IO[bytes]]:
        """A file that gets its name when the block ends well."""
        hidden = f"{self._folder}/{_HIDDEN}{uuid4().hex}-{name}"
        self._files.makedirs(self._folder, exist_ok=True)
        with self._files.open(hidden, "wb") as file:
            yield file
        self._files.mv(hidden, f"{self._folder}/{name}")

    def _names(self) -> set[str]:
        self._files.invalidate_cache()
        if not self._files.exists(self._folder):
            return set()
        return {name.rpartition("/")[2] for name in self._files.ls(self._folder, detail=False)}
