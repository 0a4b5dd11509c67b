"""`RomaineRerank`: what ranks romaine's memory, over the nodes that any retriever found."""

from __future__ import annotations

from typing import Any

from llama_index.core.bridge.pydantic import ConfigDict, Field, PrivateAttr, field_serializer, field_validator
from llama_index.core.callbacks import CBEventType, EventPayload
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import MetadataMode, NodeWithScore, QueryBundle
from llama_index.embeddings.romaine import RomaineEmbedding

from romaine.errors import OptionError
from romaine.memory import DocumentRanker, Passage


class RomaineRerank(BaseNodePostprocessor):
    """Puts nodes in the order in which a memory would recall them: by meaning, words, speaker and time.

    Needs no LLM and no cross-encoder; what takes time is embedding the nodes. They stay as they are, with the
    new score. A score compares the nodes of one call, and nothing else.

    Examples:
        `pip install llama-index-embeddings-romaine`

        ```python
        from llama_index.postprocessor.romaine import RomaineRerank

        engine = index.as_query_engine(similarity_top_k=50, node_postprocessors=[RomaineRerank(top_n=5)])
        ```
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    top_n: int | None = Field(default=None, ge=0, description="How many nodes are left; None for all.")
    embed_model: RomaineEmbedding = Field(
        default_factory=RomaineEmbedding, description="Embeds query and nodes."
    )
    speaker_key: str | None = Field(default="speaker", description="Where metadata tell who said it.")
    time_key: str | None = Field(default="created_at", description="Where they tell when.")
    previous_key: str | None = Field(
        default="previous", description="Where they tell what was said right before."
    )
    _ranker: DocumentRanker = PrivateAttr()

    @field_validator("embed_model", mode="before")
    @classmethod
    def _from_dict(cls, model: object) -> object:
        return RomaineEmbedding.from_dict(model) if isinstance(model, dict) else model

    @field_serializer("embed_model")
    def _to_dict(self, model: RomaineEmbedding) -> dict[str, Any]:
        return model.to_dict()

    def model_post_init(self, context: Any, /) -> None:
        """Makes the ranker; no model is loaded."""
        super().model_post_init(context)
        self._ranker = DocumentRanker(self.embed_model.embedder)

    @classmethod
    def class_name(cls) -> str:
        """The name in serialised components."""
        return "RomaineRerank"

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        if query_bundle is None:
            raise OptionError("no query: give query_bundle=... or query_str=... to rank nodes by")
        if not nodes:
            return []
        payload: dict[str, Any] = {
            EventPayload.NODES: nodes,
            EventPayload.MODEL_NAME: self.embed_model.model_name,
            EventPayload.QUERY_STR: query_bundle.query_str,
            EventPayload.TOP_K: self.top_n,
        }
        with self.callback_manager.event(CBEventType.RERANKING, payload=payload) as event:
            ranked = [
                NodeWithScore(node=nodes[item.index].node, score=item.score)
                for item in self._ranker.rank(
                    query_bundle.query_str, [self._passage(node) for node in nodes], k=self.top_n
                )
            ]
            event.on_end(payload={EventPayload.NODES: ranked})
        return ranked

    def _passage(self, node: NodeWithScore) -> Passage:
        return Passage.from_metadata(
            node.node.get_content(metadata_mode=MetadataMode.NONE),
            node.node.metadata,
            speaker=self.speaker_key,
            at=self.time_key,
            previous=self.previous_key,
        )
