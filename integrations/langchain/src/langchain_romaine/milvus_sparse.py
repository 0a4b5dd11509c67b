"""`RomaineMilvusSparse`: words beside meaning in a Milvus store. Needs `langchain-romaine[milvus]`."""

from __future__ import annotations

from langchain_milvus.utils.sparse import BaseSparseEmbedding

from romaine import SparseEncoder
from romaine.memory.sparse import SPARSE_DIM, SparseVector

_NO_WORDS = SPARSE_DIM  # Milvus refuses a vector without components; no term has these
_NO_QUERY = SPARSE_DIM + 1


class RomaineMilvusSparse(BaseSparseEmbedding):  # type: ignore[misc]  # whose types are not looked at
    """The memory's words as sparse embeddings for `langchain_milvus.Milvus`.

    Dot products with them are BM25, and words are found in any form and language that the memory knows.
    Milvus does not weigh rare words by itself: `fit` the encoder on what is stored, and use the metric "IP".

    Args:
        encoder: What makes the vectors, e.g. ``SparseEncoder().fit(texts)``; None for the default one, to
            which all words weigh the same.
    """

    def __init__(self, encoder: SparseEncoder | None = None) -> None:
        self.encoder = SparseEncoder() if encoder is None else encoder

    def embed_documents(self, texts: list[str]) -> list[dict[int, float]]:
        """Embeds texts that are to be found.

        Raises:
            romaine.errors.TextTypeError: If `texts` is not a list of str.
        """
        return [_as_dict(vector, _NO_WORDS) for vector in self.encoder.encode_documents(texts)]

    def embed_query(self, query: str) -> dict[int, float]:
        """Embeds one text that searches. Raises as `embed_documents`."""
        return _as_dict(self.encoder.encode_query(query), _NO_QUERY)


def _as_dict(vector: SparseVector, where_none: int) -> dict[int, float]:
    return dict(zip(vector.indices.tolist(), vector.values.tolist(), strict=True)) or {where_none: 1.0}
