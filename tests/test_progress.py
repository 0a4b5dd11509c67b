from __future__ import annotations

from romaine.progress import progress_bar


def test_hidden_bar_is_silent(capsys):
    with progress_bar("embedding", 3, show=False) as advance:
        advance(3)
    assert capsys.readouterr() == ("", "")


def test_shown_bar_is_on_stderr(capsys):
    with progress_bar("embedding", 3) as advance:
        advance(3)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "3/3" in shown.err
