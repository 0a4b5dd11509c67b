"""The same memory on lettuce-emb-768d-v4, a roleplay-first model: what changes is one line.

    romaine models download Zeolit/lettuce-emb-768d-v4     # once, with a network
    python examples/09_lettuce.py

Without its files this says how to get them and ends. Nothing is downloaded by itself.
"""

import sys

from romaine import Embedder, RoleplayMemory, Scope, Turn
from romaine.errors import ModelNotFoundError, OfflineError

TURNS = [
    Turn("I buried the medal under the willow, where nobody digs.", speaker="Cassian", role="character"),
    Turn("You never talk about the war.", speaker="Ana", role="user"),
    Turn("There's stew on the stove, if the mule left any.", speaker="Cassian", role="character"),
]
SCOPE = Scope(user="ana", character="Cassian", chat="tavern")

# 64 of its 768 components for the first stage of search; the memory keeps all of them.
# variant="int8" takes the file of a quarter the size.
lettuce = Embedder("Zeolit/lettuce-emb-768d-v4", dim=64, local_files_only=True)
try:
    lettuce.warm_up()
except (ModelNotFoundError, OfflineError) as missing:
    print(f"skipped: {missing}")
    sys.exit()

memory = RoleplayMemory(":memory:", embedder=lettuce)
memory.add_turns(SCOPE, TURNS)
for hit in memory.recall("Where did he hide his decoration?", SCOPE, k=1):
    print(f"{hit.memory.speaker}: {hit.memory.text}  {dict(hit.parts)}")
memory.close()

# A file that was filled with another model is brought over, without losing anything:
#     memory.reembed(lettuce)                or: romaine memory reembed --db memories.db --model ...
# In a framework it is the same name:
#     RomaineEmbeddings(model="Zeolit/lettuce-emb-768d-v4", dim=256)             LangChain
#     RomaineEmbedding(model_name="Zeolit/lettuce-emb-768d-v4", dim=256)         LlamaIndex
#     RomaineTextEmbedder(model="Zeolit/lettuce-emb-768d-v4", dim=256)           Haystack
