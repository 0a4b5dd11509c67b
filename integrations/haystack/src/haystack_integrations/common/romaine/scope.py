# SPDX-FileCopyrightText: 2026 the romaine authors
#
# SPDX-License-Identifier: Apache-2.0

"""Whose memory a component speaks for: what it is bound to, completed by what a run names."""

from __future__ import annotations

from dataclasses import dataclass, fields

from haystack.components.agents.state import State
from romaine import Scope
from romaine.errors import OptionError
from romaine.memory.checks import check_optional_name
from romaine.memory.records import scope_names


@dataclass(frozen=True, kw_only=True)
class BoundScope:
    """The parts of a `Scope` that are fixed when a component is made.

    :param user: Who the memory belongs to, or None where each run names the user.
    :param character: The character whose memory it is, or None where a run may name one.
    :param chat: The chat it belongs to, or None where a run may name one.
    """

    user: str | None = None
    character: str | None = None
    chat: str | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            check_optional_name(field.name, getattr(self, field.name))

    @classmethod
    def of(
        cls, scope: Scope | None, *, user: str | None, character: str | None, chat: str | None
    ) -> BoundScope:
        """Returns what a component is bound to.

        :param scope: The names together, or None where they are given one by one.
        :param user: See `BoundScope`; likewise the others.
        :param character: Likewise.
        :param chat: Likewise.
        :returns: The names.
        :raises OptionError: If they are given in both ways.
        """
        return cls(**scope_names(scope, user=user, character=character, chat=chat))

    def resolve(
        self,
        scope: Scope | None = None,
        *,
        user: str | None = None,
        character: str | None = None,
        chat: str | None = None,
        state: State | None = None,
    ) -> Scope:
        """Returns the scope of one run.

        :param scope: As the run names it, together; None where it names its parts or what is bound counts.
        :param user: As the run names it; None for what is bound.
        :param character: Likewise.
        :param chat: Likewise.
        :param state: State of the Agent that runs the component, or None where no Agent does. What is not
            bound then comes from it alone, since other names may be a model's.
        :returns: What is bound, completed by what the run or the state names.
        :raises OptionError: If nothing names a user, or a name is not what is bound or what the state has.
        """
        given = scope_names(scope, user=user, character=character, chat=chat)
        if state is not None:
            given = self._of_application(given, state)
        names = {name: self._one_of(name, getattr(self, name), value) for name, value in given.items()}
        if names["user"] is None:
            raise OptionError(
                "no user is named: give user=... or scope=... when the component is made or when it is run,"
                " and to an Agent hook_context={'user': ...} or a key 'user' of its state; nothing is read"
                " or written for everybody"
            )
        return Scope(**names)  # type: ignore[arg-type]  # the user is a str

    def _of_application(self, given: dict[str, str | None], state: State) -> dict[str, str | None]:
        """The names that an Agent's application gave it. Haystack lets a model's arguments go before both."""
        known = dict(state.data.get("hook_context") or {})
        known |= {name: value for name, value in state.data.items() if value is not None}
        names: dict[str, str | None] = {}
        for name, value in given.items():
            bound = getattr(self, name)
            said = known.get(name)
            if bound is not None and not isinstance(said, str):
                said = None  # the application may have something else of that name
            if value is not None and value not in (bound, said):
                raise OptionError(
                    f"{name}={value!r} is not for a model to say: in an Agent it is bound when the component"
                    f" is made, or comes from {name!r} in hook_context or the state"
                )
            names[name] = said
        return names

    @staticmethod
    def _one_of(name: str, bound: str | None, given: str | None) -> str | None:
        if bound is not None and given is not None and given != bound:
            # the bound name is not shown: it is another's
            raise OptionError(
                f"{name}={given!r} is not what this component is bound to; leave it out, or make a component"
                f" without {name}=... and name it in each run"
            )
        return check_optional_name(name, given if bound is None else bound)
