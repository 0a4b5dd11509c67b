"""Hits of a memory as LlamaIndex nodes."""

from __future__ import annotations

from llama_index.core.schema import NodeWithScore, TextNode

from romaine.memory import Hit, Memory
from romaine.memory.plain import hit_metadata

_EMBEDDED = frozenset({"speaker"})  # what the memory itself embeds of a turn besides its text
_FOR_THE_LLM = frozenset({"speaker", "created_at"})


def node_of(hit: Hit) -> NodeWithScore:
    """Returns a hit as a node.

    The text is the memory's own, verbatim. An LLM also sees who said it and when, and the neighbours where
    they were asked for; all other metadata is bookkeeping.

    Args:
        hit: What `recall` found.

    Returns:
        The memory as a TextNode under the memory's id, with the hit's score.
    """
    metadata = hit_metadata(hit)
    node = TextNode(
        id_=hit.memory.id,
        text=hit.memory.text,
        metadata=metadata,
        excluded_embed_metadata_keys=[key for key in metadata if key not in _EMBEDDED],
        excluded_llm_metadata_keys=[key for key in metadata if key not in _FOR_THE_LLM],
        text_template=_template(hit),
    )
    return NodeWithScore(node=node, score=hit.score)


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
