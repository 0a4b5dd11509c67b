"""Reaching a Ray cluster quietly, and Ray's errors as ours."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from romaine.errors import MissingExtraError, RomaineError, WorkerError

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # before ray is imported: nothing is reported to anybody
try:
    import ray
    import ray.data
    import ray.exceptions
except ImportError:
    raise MissingExtraError("a Ray cluster", "ray") from None


@contextmanager
def connected(address: str | None) -> Iterator[None]:
    """Uses the cluster that this process is connected to, or else connects for as long as the block runs.

    Args:
        address: "auto", "host:port" or "ray://host:port"; None starts one on this machine, without dashboard.

    Raises:
        WorkerError: If there is no such cluster.
    """
    with our_errors():
        ours = not ray.is_initialized()
        if ours:
            own = {"include_dashboard": False} if address is None else {}
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **own)
            logging.getLogger("ray.data").setLevel(logging.ERROR)
        ray.data.DataContext.get_current().enable_progress_bars = False
    try:
        yield
    finally:
        if ours:
            ray.shutdown()


def cores() -> float:
    """Cores of all nodes."""
    with our_errors():
        return float(ray.cluster_resources().get("CPU", 1))


@contextmanager
def our_errors() -> Iterator[None]:
    """Turns what Ray raises into errors of ours. Its own words stay out: they quote all kinds of things."""
    try:
        yield
    except RomaineError:
        raise
    except (ray.exceptions.RayError, ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        raise WorkerError(
            f"Ray failed with {type(error).__name__}. Is the address right, and is romaine with the extra"
            " ray installed on all nodes? What is done is kept; pass --resume to go on with it. Ray's own"
            " logs on the nodes say more."
        ) from None
