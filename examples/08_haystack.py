"""Haystack: from a SillyTavern chat to what a model would be shown. Needs `pip install romaine-haystack`.

python examples/08_haystack.py
"""

import tempfile
from pathlib import Path

from haystack import Pipeline
from haystack.components.builders import PromptBuilder
from haystack_integrations.components.retrievers.romaine import RomaineMemoryRetriever

from romaine import RoleplayMemory, Scope
from romaine.formats import read

CHAT = Path(__file__).parent / "data" / "heron-and-lantern.jsonl"
PROMPT = """You are Cassian. You remember:
{% for document in documents %}{{ document.meta.speaker }}: {{ document.content }}
{% endfor %}
Ana: {{ question }}"""

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "memories.db"
    with RoleplayMemory(path) as memory:
        memory.add_turns(Scope(user="ana", character="Cassian", chat="tavern"), read(CHAT).chats[0].turns)

    # Many users, one pipeline: whose memory it is comes with each run, and a run without a user is an error.
    retriever = RomaineMemoryRetriever(path, top_k=3, order="chronological")
    pipeline = Pipeline()
    pipeline.add_component("memory", retriever)
    pipeline.add_component("prompt", PromptBuilder(PROMPT, required_variables="*"))  # then your generator
    pipeline.connect("memory.documents", "prompt.documents")
    for question in ("Where is the cellar key hidden?", "Who is Madame Tolliver?"):
        scope = {"user": "ana", "character": "Cassian", "chat": "tavern"}
        result = pipeline.run({"memory": {"query": question, **scope}, "prompt": {"question": question}})
        print(result["prompt"]["prompt"], end="\n\n")
    retriever.close()
