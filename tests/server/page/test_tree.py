from __future__ import annotations

from romaine.memory import HeldScope, Scope
from romaine.server.page.tree import casts_of, largest


def held(chat: str | None, character: str | None = "Cassian", size: int = 1, **fork: object) -> HeldScope:
    return HeldScope(scope=Scope(user="ana", character=character, chat=chat), memories=size, **fork)


def shape(branches):
    return [(each.held.scope.chat, shape(each.forks)) for each in branches]


def test_forks_stand_under_what_they_come_from():
    found = casts_of(
        [
            held("d", forked_from="a", forked_at=2),
            held("a"),
            held("c", forked_from="b", forked_at=9),
            held("b", forked_from="a", forked_at=7),
            held(None, None),
        ]
    )
    assert [cast.character for cast in found] == [None, "Cassian"]
    assert shape(found[1].chats) == [("a", [("d", []), ("b", [("c", [])])])]


def test_a_fork_of_what_all_share_or_of_nothing_is_not_lost():
    shared, fork = held("a", None), held("b", forked_from="a", forked_at=1)
    assert shape(casts_of([shared, fork])[0].chats) == [("a", [("b", [])])]
    assert shape(casts_of([fork])[0].chats) == [("b", [])]


def test_the_largest_is_found():
    assert largest([held("a", size=3), held("b", size=9)]).chat == "b"
    assert largest([]) is None
