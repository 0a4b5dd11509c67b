"""How small vectors may get: Matryoshka slices and storage precisions of one model, on the sample chat.

    python examples/02_smaller_vectors.py

For each form it prints the bytes of a vector, and how many of a turn's five nearest turns by full
vectors are still among its five nearest.
"""

from pathlib import Path

import numpy as np

from romaine import Embedder, similarity
from romaine.formats import read

CHAT = Path(__file__).parent / "data" / "heron-and-lantern.jsonl"
K = 5

turns = [f"{turn.speaker}: {turn.text}" for chat in read(CHAT).chats for turn in chat.turns]


def nearest(embedder: Embedder) -> tuple[np.ndarray, int]:
    """The K nearest turns of each turn, itself left out, and the bytes of a vector."""
    vectors = embedder.embed_documents(turns)
    scores = similarity(vectors, vectors, embedder.precision, dim=embedder.dim)
    np.fill_diagonal(scores, -1)
    return np.argsort(-scores, axis=1)[:, :K], vectors[0].nbytes


exact, _ = nearest(Embedder())
print(f"{'dim':>4} {'precision':>10} {'bytes':>6} {'kept':>6}")
for dim in reversed(Embedder().dims):
    for precision in ("float32", "float16", "int8", "binary"):
        found, size = nearest(Embedder(dim=dim, precision=precision))
        kept = np.mean([len(set(a) & set(b)) / K for a, b in zip(found, exact, strict=True)])
        print(f"{dim:>4} {precision:>10} {size:>6} {kept:>6.1%}")
