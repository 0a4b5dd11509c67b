"""Memories as LlamaIndex nodes."""

from __future__ import annotations

from llama_index.core.schema import BaseNode, NodeWithScore, TextNode
from llama_index.core.vector_stores.utils import metadata_dict_to_node

from romaine.memory import Hit, Memory
from romaine.memory.plain import hit_metadata

NODE_SOURCE = "llama-index:"
"""Begins the `source_id` of what `RomaineVectorStore` wrote, so that no other entry is taken for a node."""

_EMBEDDED = frozenset({"speaker"})  # what the memory itself embeds of a turn besides its text
_FOR_THE_LLM = frozenset({"speaker", "created_at"})


def node_of(hit: Hit) -> NodeWithScore:
    """Returns a hit as a node.

    The text is the memory's own, verbatim. An LLM also sees who said it and when, and the neighbours where
    they were asked for; all other metadata is bookkeeping.

    Args:
        hit: What `recall` found.

    Returns:
        The memory as a TextNode under the memory's id, with the hit's confidence, 0 to 1, as its score. What
        was written as a node comes back as that one, with its id and metadata, and the bookkeeping beside it.
    """
    metadata = hit_metadata(hit)
    written = written_node(hit.memory)
    if written is not None:
        del metadata["metadata"]  # the node's own, which stands in it
        hidden = [key for key in metadata if key not in written.metadata]
        written.metadata = {**written.metadata, **{key: metadata[key] for key in hidden}}
        written.excluded_embed_metadata_keys = [*written.excluded_embed_metadata_keys, *hidden]
        written.excluded_llm_metadata_keys = [*written.excluded_llm_metadata_keys, *hidden]
        return NodeWithScore(node=written, score=hit.confidence)
    node = TextNode(
        id_=hit.memory.id,
        text=hit.memory.text,
        metadata=metadata,
        excluded_embed_metadata_keys=[key for key in metadata if key not in _EMBEDDED],
        excluded_llm_metadata_keys=[key for key in metadata if key not in _FOR_THE_LLM],
        text_template=_template(hit),
    )
    return NodeWithScore(node=node, score=hit.confidence)


def written_node(memory: Memory) -> BaseNode | None:
    """Returns the node that a memory was made of, or None if it was made of something else."""
    if memory.source_id is None or not memory.source_id.startswith(NODE_SOURCE):
        return None
    return metadata_dict_to_node(dict(memory.metadata), text=memory.text)


def line_of(memory: Memory) -> str:
    """Returns a memory as a line of a chat: "speaker: text", or the text alone where nobody said it."""
    return f"{memory.speaker}: {memory.text}" if memory.speaker else memory.text


def _template(hit: Hit) -> str:
    """The node's text between its neighbours, as a format string: {metadata_str} and {content}."""
    position = hit.memory.position or 0
    before = [_literal(near) for near in hit.neighbours if (near.position or 0) < position]
    after = [_literal(near) for near in hit.neighbours if (near.position or 0) >= position]
    return "{metadata_str}\n\n" + "\n".join([*before, "{content}", *after])


def _literal(memory: Memory) -> str:
    return line_of(memory).replace("{", "{{").replace("}", "}}")
