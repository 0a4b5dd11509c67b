"""Bulk embedding on a Ray cluster, by Ray Data. The only folder that imports ray and fsspec."""

from romaine.distributed.dataset import embed_dataset
from romaine.distributed.files import embed_files

__all__ = ["embed_dataset", "embed_files"]
