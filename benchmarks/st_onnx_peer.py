"""Runs sentence-transformers' ONNX backend for `onnx_minilm.py`, in an environment that has optimum.

    python st_onnx_peer.py FOLDER THREADS

Reads {"texts": [...], "vectors": bool} a line and answers {"seconds": s, "vectors": [[...]] or null} a line.
Imports nothing of romaine, which need not be installed beside it.
"""

from __future__ import annotations

import json
import os
import sys
import time


def main() -> None:
    folder, threads = sys.argv[1], int(sys.argv[2])
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"):
        os.environ[name] = str(threads)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the libraries print must not get among the answers
    import onnxruntime
    from sentence_transformers import SentenceTransformer

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    model = SentenceTransformer(
        folder,
        backend="onnx",
        device="cpu",
        local_files_only=True,
        model_kwargs={
            "file_name": "onnx/model_int8.onnx",
            "provider": "CPUExecutionProvider",
            "session_options": settings,
            "export": False,
        },
    )
    for line in sys.stdin:
        request = json.loads(line)
        start = time.perf_counter()
        vectors = model.encode(request["texts"], normalize_embeddings=True)
        seconds = time.perf_counter() - start
        kept = vectors.tolist() if request["vectors"] else None
        answers.write(json.dumps({"seconds": seconds, "vectors": kept}) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
