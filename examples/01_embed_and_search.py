"""Embed a few turns of a chat with the bundled model and find the one that answers a question.

python examples/01_embed_and_search.py
"""

from romaine import Embedder

TURNS = [
    "Ana: I play the viola. It has three strings at the moment, so I play it carefully.",
    "Cassian: There is a man on Tanner's Row who makes strings. Bring him something pickled.",
    "Cassian: I left the silver key under the third step of the cellar stairs.",
    "Ana: My brother drowned when I was eleven. I have been afraid of deep water ever since.",
]
QUESTIONS = ["Where is the key hidden?", "Which instrument does Ana play?", "What is Ana afraid of?"]

embedder = Embedder()  # little-gem: in the package, so nothing is downloaded
vectors = embedder.embed_documents(TURNS)
for question in QUESTIONS:
    scores = vectors @ embedder.embed_query(question)  # cosine, since all vectors are unit length
    best = scores.argmax()
    print(f"{question}\n  {scores[best]:.3f}  {TURNS[best]}")
