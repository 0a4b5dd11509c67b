"""Options stand in one dataclass; every face of the package offers all of them with the same defaults."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Annotated, Any

import pytest
import typer
from typer.testing import CliRunner

from romaine import Embedder, RoleplayMemory, Scope, Turn
from romaine.backends.options import LoadOptions
from romaine.cli.embed import embed
from romaine.cli.memory import recall
from romaine.cli.options import NOT_TYPED, takes_options
from romaine.embedder_options import EmbedderOptions
from romaine.errors import OptionError
from romaine.evaluate.subject import Subject
from romaine.memory.options import RecallOptions
from romaine.options import explains, keywords, meanings, taken


def defaults(face: Callable[..., Any]) -> dict[str, Any]:
    return {name: each.default for name, each in inspect.signature(face).parameters.items()}


@pytest.mark.parametrize(
    ("options", "face", "subject"),
    [
        (EmbedderOptions, Embedder.__init__, {"self", "model"}),
        (RecallOptions, RoleplayMemory.recall, {"self", "query", "scope", "vector"}),
        (RecallOptions, RoleplayMemory.arecall, {"self", "query", "scope", "vector"}),
    ],
)
def test_a_face_has_every_option_with_its_default(options: type, face: Any, subject: set[str]) -> None:
    offered = {name: value for name, value in defaults(face).items() if name not in subject}
    assert offered == {field.name: field.default for field in fields(options)}


@pytest.mark.parametrize(("options", "command"), [(EmbedderOptions, embed), (RecallOptions, recall)])
def test_a_command_has_every_option_with_its_default(options: type, command: Any) -> None:
    offered = defaults(takes_options(command))
    wanted = {field.name: field.default for field in fields(options) if field.name not in NOT_TYPED}
    assert {name: offered.get(name, "missing") for name in wanted} == wanted


@pytest.mark.parametrize(
    ("options", "face"), [(EmbedderOptions, Embedder), (RecallOptions, RoleplayMemory.recall)]
)
def test_every_option_is_explained_once(options: type, face: Any) -> None:
    says = meanings(face)
    for field in fields(options):
        assert len(says[field.name]) > 10
        assert "\n" not in says[field.name]


def test_a_subject_has_what_loads_a_model() -> None:
    assert issubclass(Subject, LoadOptions)
    assert Subject(dim=64, threads=2).embedder()._options == EmbedderOptions(dim=64, threads=2)


def test_options_are_taken_from_a_call_and_given_on() -> None:
    options = taken(RecallOptions, {**keywords(RecallOptions(k=3)), "self": None, "query": "Where?"})
    assert options == RecallOptions(k=3)
    assert keywords(Subject(threads=2), LoadOptions) == keywords(LoadOptions(threads=2))
    with pytest.raises(KeyError, match="token_budget"):
        taken(RecallOptions, {"k": 3})


@dataclass(frozen=True, kw_only=True)
class Place:
    where: Annotated[str, typer.Option()]
    floor: Annotated[int | None, typer.Option()] = None


def look(
    what: str,
    place: Place,
    how: Annotated[RecallOptions, RoleplayMemory.recall, ("k", "kinds", "as_of")],
    *,
    loud: bool = False,
) -> None:
    typer.echo(repr((what, place, how == RecallOptions(k=3, kinds=["fact"], as_of=7), loud)))


def test_a_command_takes_dataclasses_beside_arguments() -> None:
    app = typer.Typer()
    app.command()(takes_options(look))
    done = CliRunner().invoke(app, ["key", "--where", "step", "-k", "3", "--kind", "fact", "--as-of", "7"])
    assert done.output.strip() == repr(("key", Place(where="step"), True, False))
    helped = CliRunner().invoke(app, ["--help"]).output
    assert "--as-of" in helped
    assert "--diversity" not in helped


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: Embedder(model_name="x"), "Embedder has no option model_name=. Did you mean model=?"),
        (lambda: Embedder(truncate_dim=64), "Did you mean dim=?"),
        (lambda: Embedder(model_kwargs={}), "Did you mean device=?"),
        (lambda: Embedder(bathc_size=8), "Did you mean batch_size=?"),
        (lambda: Embedder(moon=1), "moon=. It takes model, backend"),
        (lambda: Embedder("little-gem", "onnx"), "by name but for the first"),
        (lambda: RoleplayMemory(), "RoleplayMemory needs path=."),
        (lambda: RoleplayMemory(":memory:", embedding=None), "Did you mean embedder=?"),
        (lambda: Turn("Hello.", role="user"), "Turn needs speaker=."),
        (lambda: Turn("Hello.", role="user", name="Ana"), "Did you mean speaker=?"),
        (lambda: Turn("Hello.", role="assistant", speaker="Odo"), "'assistant' is 'character' here"),
        (lambda: Turn("Hello.", role="Human", speaker="Odo"), "'Human' is 'user' here"),
        (lambda: RoleplayMemory(":memory:", embedder="little-gem"), "str, which has no"),
    ],
)
def test_who_calls_with_anothers_names_is_told_ours(call: Callable[[], Any], told: str) -> None:
    with pytest.raises(OptionError) as refused:
        call()
    assert told in str(refused.value)


def test_a_wrong_name_is_told_where_a_memory_is_asked() -> None:
    with RoleplayMemory(":memory:") as memory:
        with pytest.raises(TypeError, match=r"recall has no option top_k=.* k="):
            memory.recall("key", Scope(user="ana"), top_k=3)
        with pytest.raises(TypeError, match="recall needs scope="):
            memory.recall("key")


def test_an_error_from_inside_stays_as_it_is() -> None:
    @explains
    def fails(*, inner: object) -> int:
        return len(inner)  # type: ignore[arg-type]

    with pytest.raises(TypeError, match="no len") as failed:
        fails(inner=3)
    assert not isinstance(failed.value, OptionError)
