"""LlamaIndex's metadata filters, asked of one memory's metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llama_index.core.vector_stores.types import FilterCondition, MetadataFilter, MetadataFilters
from llama_index.core.vector_stores.utils import build_metadata_filter_fn

from romaine.errors import OptionError


def matches(filters: MetadataFilters | MetadataFilter | None, metadata: Mapping[str, Any]) -> bool:
    """Whether metadata passes filters, which may be nested.

    Raises:
        OptionError: If values are compared that cannot be.
    """
    if filters is None:
        return True
    if isinstance(filters, MetadataFilter):
        try:
            return build_metadata_filter_fn(lambda _: metadata, MetadataFilters(filters=[filters]))("")
        except TypeError:
            found = type(metadata.get(filters.key)).__name__
            raise OptionError(
                f"metadata[{filters.key!r}] is {found} in one of the nodes, and {filters.operator.value!r}"
                f" cannot compare it with {filters.value!r}"
            ) from None
    met = (matches(each, metadata) for each in filters.filters)
    if filters.condition is FilterCondition.OR:
        return any(met)
    if filters.condition is FilterCondition.NOT:
        return not any(met)
    return all(met)
