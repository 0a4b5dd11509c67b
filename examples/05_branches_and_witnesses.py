"""Forks, discarded replies and secrets: what a character may know, and in which version of the story.

python examples/05_branches_and_witnesses.py
"""

from romaine import RoleplayMemory, Scope, Turn

memory = RoleplayMemory(":memory:")
story = Scope(user="ana", chat="heist")


def ask(question: str, scope: Scope, **options: object) -> None:
    """Prints the best answer a scope finds."""
    hits = memory.recall(question, scope, k=1, **options)  # type: ignore[call-overload]
    shown = f"{hits[0].memory.speaker}: {hits[0].memory.text}" if hits else "(nothing)"
    print(f"    {question}  ->  {shown}")


def say(
    speaker: str, text: str, source_id: str, scope: Scope = story, known_by: tuple[str, ...] = ()
) -> None:
    """Remembers one line."""
    role = "user" if speaker == "Ana" else "character"
    memory.add_turns(scope, [Turn(text, speaker=speaker, role=role, source_id=source_id)], known_by=known_by)


say("Osk", "The vault opens at midnight, and the guard changes at one.", "m1")
say("Ana", "Then we go in at midnight.", "m2")

print("Witnesses: Ilse whispers something that only Ana hears.")
say("Ilse", "Do not trust Osk. He sold the plan to the harbour master.", "m3", known_by=("Ilse", "Ana"))
ask("Who sold the plan?", story, as_character="Ilse")
ask("Who sold the plan?", story, as_character="Osk")

print("A fork: what happens in one version of the story did not happen in the other.")
fork = memory.branch(story, at=2, to_chat="heist, the other way")
say("Ana", "We call it off and take the night boat to Sorrel.", "f1", scope=fork)
say("Ana", "We climb in through the skylight.", "m4")
ask("How do we get in?", story)
ask("Where do we go by boat?", fork)
ask("When does the vault open?", fork)

print("A discarded reply takes along what was made of it.")
say("Osk", "I have swallowed the only key to the vault.", "m5")
memory.add_fact(story, "Osk swallowed the only key.", parent_id="m5")
ask("What did Osk swallow?", story)
print(f"    retracted: {memory.retract(story, ['m5'])} memories")
ask("What did Osk swallow?", story)
memory.close()
