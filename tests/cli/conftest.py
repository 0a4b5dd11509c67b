from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _no_terminal_of_the_tests_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have set a width, as pytest-xdist does for its workers."""
    monkeypatch.delenv("COLUMNS", raising=False)
