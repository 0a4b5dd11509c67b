"""Chats, character cards and lorebooks of other programs, read into turns and notes.

from romaine.formats import read

result = read("Cassian.jsonl")
memory.add_turns(scope, result.turns)
"""

from __future__ import annotations

from romaine.formats.locomo import Conversation, Question, Session, read_conversation, read_conversations
from romaine.formats.placement import PlacedChat, PlacedNote, Placement, place
from romaine.formats.reading import ReadOptions
from romaine.formats.registry import FORMATS, Content, Format, Source, detect, format_names, read
from romaine.formats.result import Chat, ImportResult, Note, Skipped

__all__ = [
    "FORMATS",
    "Chat",
    "Content",
    "Conversation",
    "Format",
    "ImportResult",
    "Note",
    "PlacedChat",
    "PlacedNote",
    "Placement",
    "Question",
    "ReadOptions",
    "Session",
    "Skipped",
    "Source",
    "detect",
    "format_names",
    "place",
    "read",
    "read_conversation",
    "read_conversations",
]
