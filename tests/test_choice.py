from __future__ import annotations

import pytest

from romaine.choice import Choice
from romaine.errors import UnknownNameError


class VectorForm(Choice):
    ROUND = "round"
    FLAT = "flat"


def test_a_name_or_the_member_itself():
    assert VectorForm.parse("flat") is VectorForm.FLAT
    assert VectorForm.parse(VectorForm.ROUND) is VectorForm.ROUND
    assert VectorForm.FLAT == "flat"


@pytest.mark.parametrize("value", ["falt", "", None, 3, ["flat"]])
def test_anything_else_lists_what_is_allowed(value):
    with pytest.raises(UnknownNameError, match=r"unknown vector form .*Allowed: 'round', 'flat'"):
        VectorForm.parse(value)
