"""`RomaineQdrantSparse`: words beside meaning in a Qdrant store. Needs `langchain-romaine[qdrant]`."""

from __future__ import annotations

from langchain_qdrant.sparse_embeddings import SparseEmbeddings, SparseVector

from romaine import SparseEncoder


class RomaineQdrantSparse(SparseEmbeddings):
    """The memory's words as sparse embeddings for `langchain_qdrant.QdrantVectorStore`.

    Dot products with them are BM25, and words are found in any form and language that the memory knows.
    Qdrant can weigh rare words itself, for which its sparse vectors need `Modifier.IDF`; then the encoder is
    taken as it is. Otherwise `fit` it on what is stored.

    Args:
        encoder: What makes the vectors; None for the default one.
    """

    def __init__(self, encoder: SparseEncoder | None = None) -> None:
        self.encoder = SparseEncoder() if encoder is None else encoder

    def embed_documents(self, texts: list[str]) -> list[SparseVector]:
        """Embeds texts that are to be found.

        Raises:
            romaine.errors.TextTypeError: If `texts` is not a list of str.
        """
        found = self.encoder.encode_documents(texts)
        return [SparseVector(indices=v.indices.tolist(), values=v.values.tolist()) for v in found]

    def embed_query(self, text: str) -> SparseVector:
        """Embeds one text that searches. Raises as `embed_documents`."""
        vector = self.encoder.encode_query(text)
        return SparseVector(indices=vector.indices.tolist(), values=vector.values.tolist())
