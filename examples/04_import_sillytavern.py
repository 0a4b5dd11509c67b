"""Import a SillyTavern chat, a character card and a world-info file, and recall from all of them.

python examples/04_import_sillytavern.py
"""

from pathlib import Path

from romaine import RoleplayMemory, Scope
from romaine.formats import place, read

DATA = Path(__file__).parent / "data"
FILES = ("heron-and-lantern.jsonl", "cassian.card.png", "veldmouth-world.json")

memory = RoleplayMemory(":memory:")
for name in FILES:
    result = read(DATA / name, user_name="Ana", character_name="Cassian")
    placed = place(result, user="ana", character="Cassian", chat="tavern", file_name=name)
    turns = sum(memory.add_turns(part.scope, part.chat.turns).added for part in placed.chats)
    notes = memory.add_notes(part.memory for part in placed.notes)
    print(f"{name}: {result.format}, {turns} turns, {sum(note.stored for note in notes)} notes")
    for skipped in result.skipped[:3]:
        print(f"    skipped {skipped.where}: {skipped.why}")

scope = Scope(user="ana", character="Cassian", chat="tavern")
for question in ("Who is Madame Tolliver?", "Where is the cellar key hidden?", "What is Lamp Night?"):
    print(f"\n{question}")
    for hit in memory.recall(question, scope, k=3, diversity=2):
        print(f"    {hit.score:5.1f}  {hit.memory.kind.value:5} {hit.memory.text[:90]!r}")

# The same import again adds nothing, and another user sees nothing of it.
chat = read(DATA / FILES[0]).chats[0]
print(f"\nimported again: {memory.add_turns(scope, chat.turns).added} new turns")
other = Scope(user="bob", character="Cassian", chat="tavern")
print(f"for another user: {memory.recall('Where is the key?', other)}")
memory.close()
