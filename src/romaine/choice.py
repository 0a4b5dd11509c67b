"""`Choice`: an enum of names that callers write as strings."""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, TypeVar

from romaine.errors import UnknownNameError

if TYPE_CHECKING:
    from typing_extensions import Self

C = TypeVar("C", bound="Choice")


class Choice(str, Enum):
    """Members are equal to their names; an unknown name is an error that lists the allowed ones."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Returns the member named by `value`, which may be the member itself.

        Raises:
            UnknownNameError: If there is none of that name.
        """
        try:
            return cls(value)
        except ValueError:
            what = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", cls.__name__).lower()
            raise UnknownNameError(what, value, [member.value for member in cls]) from None
