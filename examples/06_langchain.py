"""LangChain: from a SillyTavern chat to what a model would be shown. Needs `pip install langchain-romaine`.

python examples/06_langchain.py
"""

from pathlib import Path

from langchain_core.documents import Document
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnablePassthrough
from langchain_romaine import RomaineEmbeddings, RomaineMemoryRetriever

from romaine import RoleplayMemory, Scope
from romaine.formats import read

CHAT = Path(__file__).parent / "data" / "heron-and-lantern.jsonl"

embeddings = RomaineEmbeddings(dim=64)  # for vector stores; the memory below shares its loaded model
memory = RoleplayMemory(":memory:", embedder=embeddings.embedder)
turns = read(CHAT).chats[0].turns
memory.add_turns(Scope(user="ana", character="Cassian", chat="tavern"), turns)


def as_lines(documents: list[Document]) -> str:
    """What was remembered, as the model reads it."""
    return "\n".join(f"{document.metadata['speaker']}: {document.page_content}" for document in documents)


# Many users, one chain: whose memory it is comes with each call, and a call without a user is an error.
retriever = RomaineMemoryRetriever(memory=memory, scope_from_config=True, k=3, order="chronological")
prompt = ChatPromptTemplate.from_messages(
    [("system", "You are Cassian. You remember:\n{context}"), ("human", "{question}")]
)
chain = {"context": retriever | as_lines, "question": RunnablePassthrough()} | prompt  # | your chat model

config = {"configurable": {"user": "ana", "character": "Cassian", "chat": "tavern"}}
for question in ("Where is the cellar key hidden?", "Who is Madame Tolliver?"):
    for message in chain.invoke(question, config).to_messages():
        print(f"{message.type}: {message.content}")
    print()
memory.close()
