from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_romaine.namespaces import NamespacePattern, fits, source_of, source_prefix
from langgraph.store.base import InvalidNamespaceError, MatchCondition

from romaine import Scope
from romaine.errors import OptionError

MEMORIES = NamespacePattern(labels=("memories", "{user}", "{character}"))


def test_labels_name_the_scope() -> None:
    assert NamespacePattern(labels=("{user}",)).scope(("ana", "facts")) == Scope(user="ana")
    assert MEMORIES.scope(("memories", "ana", "Cassian", "facts")) == Scope(user="ana", character="Cassian")
    assert MEMORIES.scope(("memories", "ana")) == Scope(user="ana")
    bound = NamespacePattern(labels=("{chat}",), user="ana", character="Cassian")
    assert bound.scope(()) == Scope(user="ana", character="Cassian")
    assert bound.scope(("tavern",)) == Scope(user="ana", character="Cassian", chat="tavern")


@pytest.mark.parametrize("namespace", [(), ("memories",), ("memories", "*"), ("memories", "ana", "*")])
def test_nothing_is_meant_without_a_user(namespace: tuple[str, ...]) -> None:
    with pytest.raises(InvalidNamespaceError, match="does not say whose memory is meant"):
        MEMORIES.scope(namespace)


def test_another_beginning_is_refused() -> None:
    with pytest.raises(InvalidNamespaceError, match="does not begin as this store's namespace="):
        MEMORIES.scope(("notes", "ana"))


@pytest.mark.parametrize(
    ("labels", "user", "message"),
    [
        (("memories",), None, "has no '{user}'"),
        (("{user}",), "ana", r"both say who the user is"),
        (("{user}", "{user}"), None, "once each"),
        (("{user_id}",), None, r"may hold words and, once each, '{user}'"),
    ],
)
def test_wrong_patterns_are_refused(labels: tuple[str, ...], user: str | None, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        NamespacePattern(labels=labels, user=user)


LABELS = st.lists(st.text(min_size=1, max_size=3), max_size=3)


@given(namespace=LABELS, key=st.text(max_size=3), prefix=LABELS)
def test_an_item_is_below_what_its_namespace_begins_with(
    namespace: list[str], key: str, prefix: list[str]
) -> None:
    below = namespace[: len(prefix)] == prefix
    assert source_of(namespace, key).startswith(source_prefix(prefix)) == below


@pytest.mark.parametrize(
    ("kind", "path", "expected"),
    [
        ("prefix", (), True),
        ("prefix", ("a",), True),
        ("prefix", ("*", "b"), True),
        ("prefix", ("b",), False),
        ("prefix", ("a", "b", "c", "d"), False),
        ("suffix", ("c",), True),
        ("suffix", ("b", "*"), True),
        ("suffix", ("a",), False),
        ("suffix", ("*", "*", "*", "*"), False),
    ],
)
def test_conditions(kind: str, path: tuple[str, ...], expected: bool) -> None:
    assert fits(("a", "b", "c"), MatchCondition(kind, path)) == expected  # type: ignore[arg-type]
