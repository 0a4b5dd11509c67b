# SPDX-FileCopyrightText: 2026 the romaine authors
#
# SPDX-License-Identifier: Apache-2.0

"""Whose memory a component speaks for: what it is bound to, completed by what a run names."""

from __future__ import annotations

from dataclasses import dataclass, fields

from romaine import Scope
from romaine.errors import OptionError
from romaine.memory.checks import check_optional_name


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

    def resolve(self, *, user: str | None, character: str | None, chat: str | None) -> Scope:
        """Returns the scope of one run.

        :param user: As the run names it; None for what is bound.
        :param character: Likewise.
        :param chat: Likewise.
        :returns: What is bound, completed by what the run names.
        :raises OptionError: If neither names a user, or the run names something other than what is bound.
        """
        whose = self._one_of("user", self.user, user)
        if whose is None:
            raise OptionError(
                "no user is named: give user=... when the component is made or when it is run;"
                " nothing is read or written for everybody"
            )
        return Scope(
            user=whose,
            character=self._one_of("character", self.character, character),
            chat=self._one_of("chat", self.chat, chat),
        )

    @staticmethod
    def _one_of(name: str, bound: str | None, given: str | None) -> str | None:
        if bound is not None and given is not None and given != bound:
            # the bound name is not shown: it is another's
            raise OptionError(
                f"{name}={given!r} is not what this component is bound to; leave it out, or make a component"
                f" without {name}=... and name it in each run"
            )
        return check_optional_name(name, given if bound is None else bound)
