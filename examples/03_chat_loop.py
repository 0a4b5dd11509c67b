"""A chat loop with a long memory: what a model would be shown before each reply. It needs no LLM to watch.

    python examples/03_chat_loop.py

Before each message is remembered, the memory is asked for what fits the last two. A real app puts `context`
before its prompt; here it is printed.
"""

from romaine import Embedder, RoleplayMemory, Scope, Turn

SCRIPT = [
    ("Ana", "user", "I have to leave for the coast tomorrow. Would you look after Biscuit?"),
    ("Cassian", "character", "The mule? He bites. But yes. What does he eat?"),
    ("Ana", "user", "Apple peel and hay. Never onions, they make him ill."),
    ("Cassian", "character", "No onions. I'll leave the silver key under the third step for you."),
    ("Ana", "user", "Thank you. By the way, my sister Mara is coming to the festival in May."),
    ("Cassian", "character", "Then I'd better learn to dance before May."),
    ("Ana", "user", "It has been a long day. Good night."),
    ("Ana", "user", "Good morning! I'm back. Where did you put the key?"),
    ("Ana", "user", "And you didn't give him anything that makes him ill, did you?"),
]

memory = RoleplayMemory(":memory:", embedder=Embedder(dim=64))  # a path keeps it for the next time
scope = Scope(user="ana", character="Cassian", chat="tavern")

spoken: list[str] = []
for speaker, role, text in SCRIPT:
    spoken.append(text)
    if role == "user" and len(spoken) > 6:
        # What was just said is in the prompt anyway, so it is asked for before it is remembered.
        hits = memory.recall(spoken[-2:], scope, k=2, token_budget=200, order="chronological")
        context = "\n".join(f"    {hit.memory.speaker}: {hit.memory.text}" for hit in hits)
        print(f"{speaker}: {text}\n  remembered:\n{context}")
        memory.mark_used(scope, hits)  # recall itself changes nothing; what was used fades more slowly
    memory.add_turns(scope, [Turn(text, speaker=speaker, role=role)])

# A fact that changes: the old one stays in the file, and is left out of what is recalled.
first = memory.add_fact(scope, "Mara arrives on the first of May.", category="plot_event").memory
memory.add_fact(scope, "Mara arrives on the third of May, not the first.", supersedes=first.id)
print("\nWhen does Mara arrive?")
for hit in memory.recall("When does Mara arrive?", scope, k=2, kinds=["fact"]):
    print(f"    {hit.score:.1f}  {hit.memory.text}")
memory.close()
