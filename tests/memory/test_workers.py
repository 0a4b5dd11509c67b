from __future__ import annotations

import os
import signal
import time
from functools import partial

import pytest

from romaine.errors import OptionError
from romaine.memory.workers import Workers


def _done(count: int) -> int:
    return count


def _killed() -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 1


def _refused() -> int:
    raise OptionError("no")


@pytest.mark.parametrize(("work", "done"), [(partial(_done, 3), 6), (_killed, 0), (_refused, 0)])
def test_what_workers_have_done_is_added_up(work, done, capfd):
    with Workers(2, work) as workers:
        pass
    assert workers.done == done
    assert capfd.readouterr().err == ""


def test_workers_end_with_the_one_who_began():
    with pytest.raises(ZeroDivisionError), Workers(1, partial(time.sleep, 60)) as workers:  # type: ignore[arg-type]
        raise ZeroDivisionError
    assert workers.done == 0
