"""LlamaIndex: from a SillyTavern chat to what a model would be shown. Needs llama-index-embeddings-romaine.

python examples/07_llama_index.py
"""

from pathlib import Path

from llama_index.core.llms import MockLLM
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.schema import MetadataMode
from llama_index.embeddings.romaine import RomaineEmbedding
from llama_index.retrievers.romaine import RomaineMemoryRetriever

from romaine import RoleplayMemory, Scope
from romaine.formats import read

CHAT = Path(__file__).parent / "data" / "heron-and-lantern.jsonl"
SCOPE = Scope(user="ana", character="Cassian", chat="tavern")

embedding = RomaineEmbedding(dim=64)  # for an index's embed_model; the memory below shares its loaded model
memory = RoleplayMemory(":memory:", embedder=embedding.embedder)
memory.add_turns(SCOPE, read(CHAT).chats[0].turns)

# A retriever speaks for one user; making one for each request costs nothing.
retriever = RomaineMemoryRetriever(memory, scope=SCOPE, similarity_top_k=3, order="chronological")
for question in ("Where is the cellar key hidden?", "Who is Madame Tolliver?"):
    print(question)
    for node in retriever.retrieve(question):
        print(f"  {node.score:4.2f}  {node.node.get_content(MetadataMode.LLM)!r}")

# The same in a query engine; MockLLM answers with the prompt it was given. Put your own LLM here.
engine = RetrieverQueryEngine.from_args(retriever, llm=MockLLM())
print(engine.query("Where is the cellar key hidden?"))
memory.close()
