"""What the `romaine memory` commands share: which file, whose memory, which model."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Annotated

import typer

from romaine.cli import options
from romaine.cli.terminal import print_text
from romaine.embedder import DEFAULT_MODEL, Embedder
from romaine.errors import StorageError
from romaine.memory import HeldScope, RoleplayMemory, Scope
from romaine.memory.encoder import with_funnel
from romaine.memory.store import is_there, open_storage, shown
from romaine.models.packaged import packaged_names

_INTERRUPTED = 130  # what a shell reports for a process ended by Ctrl-C
_SCOPES_TOLD = 10

Database = Annotated[
    str,
    typer.Option(
        "--db",
        help="The memory's file, or postgresql://...; a URL with a password better by the variable.",
        envvar="ROMAINE_MEMORY",
        show_default=False,
    ),
]
User = Annotated[str, typer.Option("--user", "-u", help="Whose memory.", show_default=False)]
Character = Annotated[
    str | None, typer.Option("--character", "-c", help="The character; what all share if not given.")
]
Chat = Annotated[str | None, typer.Option("--chat", help="The chat; what holds in every chat if not given.")]
Ids = Annotated[list[str], typer.Argument(metavar="ID...", help="Ids of memories.", show_default=False)]
OwnModel = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        help=f"As elsewhere; if not given, the file's own where a package has it, else {DEFAULT_MODEL}.",
    ),
]
Kinds = Annotated[
    list[str] | None, typer.Option("--kind", help="turn, fact, lore or summary; may be given again.")
]


@dataclass(frozen=True, kw_only=True)
class File:
    """The options that say which file, and what embeds for it."""

    db: Database
    model: OwnModel = None
    backend: options.Backend = "auto"

    def open(
        self,
        *,
        dim: int | None = None,
        create: bool = False,
        vector_format: str | None = None,
        analyzer: str | None = None,
        late_interaction: str | None = None,
    ) -> RoleplayMemory:
        """Opens the file.

        Args:
            dim: Components of the first stage of search; None for the usual ones.
            create: Whether a file that is not there is made; reading a mistyped name must not make one.
            vector_format: How a new file keeps vectors; None for float32.
            analyzer: Name of what makes of texts their terms; None for the file's own.
            late_interaction: Where the vectors of tokens come from; None for the file's own.

        Raises:
            StorageError: If the file is not there and `create` is False.
        """
        if not create:
            self.check_exists()
        return RoleplayMemory(
            self.db,
            embedder=self.embedder(dim),
            vector_format=vector_format,
            analyzer=analyzer,
            late_interaction=late_interaction,
        )

    def embedder(self, dim: int | None = None) -> Embedder:
        """Loads the model; its `dim` is that of the first stage of search."""
        embedder = Embedder(self.model_name, backend=self.backend, dim=dim).warm_up()
        return with_funnel(embedder) if dim is None else embedder

    @property
    def model_name(self) -> str:
        """What embeds: as told, else the file's own where a package has it, else the bundled one."""
        return self.model or self._own_model()

    def _own_model(self) -> str:
        """The model that the file names; a file may come from anywhere, so nothing is fetched for it."""
        installed = packaged_names(taken=(DEFAULT_MODEL,))
        own = None
        with suppress(StorageError):  # told when it is opened; one that is not made yet is of no model
            if installed:
                with closing(open_storage(self.db, read_only=True)) as storage, storage.read() as snapshot:
                    own = snapshot.setting("model")
        return str(own) if own in installed else DEFAULT_MODEL

    def check_exists(self) -> None:
        """Checks that the file is there.

        Raises:
            StorageError: If it is not.
        """
        if not is_there(self.db):
            raise StorageError(
                f"{shown(self.db)} is not there; check the name, or make it with `romaine memory import`"
            )

    @property
    def still_readable(self) -> str:
        """What to say of forgotten text that the file's log may still hold."""
        return (
            f"another process reads an older state of {self.db}, so its log may still hold forgotten text;"
            f" end that process and run `romaine memory erase --db {shlex.quote(self.db)}`"
        )


@dataclass(frozen=True, kw_only=True)
class Whose(File):
    """The options that say whose memory in which file."""

    user: User
    character: Character = None
    chat: Chat = None

    @property
    def scope(self) -> Scope:
        """Whose memory."""
        return Scope(user=self.user, character=self.character, chat=self.chat)

    def say_nothing(self, memory: RoleplayMemory) -> None:
        """Tells on stderr that nothing was found, and if the scope is to blame, which ones hold something."""
        if memory.stats(self.scope).total:
            print_text("nothing fits", to_stderr=True)
            return
        held = memory.scopes(self.user)
        told = [f"  {held_line(each)}" for each in held[:_SCOPES_TOLD]]
        if len(held) > _SCOPES_TOLD:
            told.append(f"  and {len(held) - _SCOPES_TOLD:,} more; see `romaine memory scopes`")
        found = ["there is something for", *told] if held else ["nor for any other scope of this user"]
        print_text("\n".join([f"nothing is stored for {as_options(self.scope)}", *found]), to_stderr=True)


def held_line(held: HeldScope) -> str:
    """A scope as options, and how much it holds."""
    return f"{as_options(held.scope)}  ({held.memories:,} memories)"


def as_options(scope: Scope) -> str:
    """A scope as it is given on a command line."""
    return " ".join(
        f"--{name} {shlex.quote(value)}" for name, value in vars(scope).items() if value is not None
    )


@contextmanager
def repeatable() -> Iterator[None]:
    """Around long work that may be interrupted: Ctrl-C says how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        print_text("interrupted; the same command goes on where it stopped", to_stderr=True)
        raise typer.Exit(_INTERRUPTED) from None
