"""Small tasks written here, run by mteb itself; nothing is fetched."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from romaine import Embedder
from romaine.errors import OptionError
from romaine.evaluate.retrieval import evaluate_retrieval
from romaine.evaluate.speed_worker import chat_texts
from romaine.evaluate.sts import spearman
from tests.evaluate.retrieval.conftest import write_beir

mteb = pytest.importorskip("mteb")

from datasets import Dataset, DatasetDict  # noqa: E402
from mteb.abstasks import AbsTaskRetrieval, AbsTaskSTS  # noqa: E402
from mteb.abstasks.task_metadata import TaskMetadata  # noqa: E402
from mteb.mocks.mock_tasks.clustering import MockClusteringTask  # noqa: E402
from mteb.models.models_protocols import EncoderProtocol  # noqa: E402
from mteb.types import PromptType  # noqa: E402

from romaine.evaluate.mteb import MtebEncoder, evaluate_mteb  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # mteb and its libraries warn of their own affairs

PAIRS = [
    ("A boat is moored at the pier.", "The pier has a boat tied to it.", 4.8),
    ("A man plays the guitar.", "A man is playing a guitar.", 5.0),
    ("The soup is cold.", "The soup is not warm any more.", 4.0),
    ("A dog runs through the grass.", "Two dogs play in a meadow.", 3.0),
    ("She sells copper kettles.", "The train leaves at noon.", 0.2),
    ("He reads a book in the garden.", "Prices fell on Friday.", 0.0),
]


def metadata(name: str, type_: str, score: str) -> TaskMetadata:
    return TaskMetadata(
        name=name,
        type=type_,
        main_score=score,
        description="A few lines, written for a test.",
        reference=None,
        dataset={"path": "none", "revision": "none"},
        category="t2t",
        modalities=["text"],
        eval_splits=["test"],
        eval_langs=["eng-Latn"],
        date=("2026-01-01", "2026-01-01"),
        domains=[],
        task_subtypes=[],
        license="cc0-1.0",
        annotations_creators="derived",
        dialect=[],
        sample_creation="created",
        bibtex_citation="",
    )


class Similarity(AbsTaskSTS):
    metadata = metadata("RomaineSimilarity", "STS", "cosine_spearman")
    min_score, max_score = 0, 5

    def load_data(self, num_proc: int | None = None, **kwargs: Any) -> None:
        left, right, scores = zip(*PAIRS, strict=True)
        rows = {"sentence1": list(left), "sentence2": list(right), "score": list(scores)}
        self.dataset = DatasetDict({"test": Dataset.from_dict(rows)})
        self.data_loaded = True


class Search(AbsTaskRetrieval):
    metadata = metadata("RomaineSearch", "Retrieval", "ndcg_at_10")

    def load_data(self, num_proc: int | None = None, **kwargs: Any) -> None:
        corpus = {
            "id": ["d1", "d2", "d3"],
            "title": ["Harbour", "", "Market"],
            "text": ["The boat is behind the lighthouse.", "The abbot hid the herbal.", "Kettles for sale."],
        }
        queries = {"id": ["q1", "q2"], "text": ["Where is the boat?", "Who hid the herbal?"]}
        split = {
            "corpus": Dataset.from_dict(corpus),
            "queries": Dataset.from_dict(queries),
            "relevant_docs": {"q1": {"d1": 1}, "q2": {"d2": 1}},
            "top_ranked": None,
        }
        self.dataset = {"default": {"test": split}}
        self.data_loaded = True


class Recorder:
    """Stands where the model is and notes every text as it arrives there, prompt and all."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[str] = []
        original = Embedder._sliced

        def sliced(embedder: Embedder, texts: Sequence[str], *rest: Any) -> Any:
            self.seen += texts
            return original(embedder, texts, *rest)

        monkeypatch.setattr(Embedder, "_sliced", sliced)


def run(encoder: MtebEncoder, task: Any) -> dict[str, Any]:
    results = mteb.evaluate(encoder, task, cache=None, show_progress_bar=False, co2_tracker=False)
    return results.task_results[0].scores["test"][0]


def test_is_an_encoder_of_mteb() -> None:
    encoder = MtebEncoder(Embedder(dim=64))
    assert isinstance(encoder, EncoderProtocol)
    meta = encoder.mteb_model_meta
    assert (meta.name, meta.embed_dim, meta.license) == ("romaine/little-gem", 64, "apache-2.0")
    assert meta.revision == Embedder().fingerprint
    assert MtebEncoder(Embedder(dim=32)).mteb_model_meta.experiment_kwargs != meta.experiment_kwargs


@pytest.mark.parametrize("dim", [32, 384])
def test_similarity_is_what_it_is_without_mteb(dim: int) -> None:
    embedder = Embedder(dim=dim)
    left, right, scores = zip(*PAIRS, strict=True)
    cosines = np.einsum("ij,ij->i", embedder.embed_queries(left), embedder.embed_queries(right))
    found = run(MtebEncoder(embedder), Similarity())
    assert found["cosine_spearman"] == pytest.approx(spearman(cosines, scores), abs=1e-6)


def test_retrieval_is_what_it_is_without_mteb(tmp_path: Path) -> None:
    texts, asked = chat_texts(80), chat_texts(12, seed=3)
    documents = {f"d{number}": ("", text) for number, text in enumerate(texts)}
    queries = {f"q{number}": text for number, text in enumerate(asked)}
    judged = {query: {f"d{(7 * n) % 80}": 1, f"d{(11 * n + 5) % 80}": 2} for n, query in enumerate(queries)}
    rows = [(query, id_, score) for query, scores in judged.items() for id_, score in scores.items()]
    alone = evaluate_retrieval(
        write_beir(tmp_path / "b", documents=documents, queries=queries, qrels={"test": rows})
    )

    class SameSearch(Search):
        metadata = metadata("RomaineSameSearch", "Retrieval", "ndcg_at_10")

        def load_data(self, num_proc: int | None = None, **kwargs: Any) -> None:
            split = {
                "corpus": Dataset.from_dict({"id": list(documents), "title": [""] * 80, "text": texts}),
                "queries": Dataset.from_dict({"id": list(queries), "text": asked}),
                "relevant_docs": judged,
                "top_ranked": None,
            }
            self.dataset = {"default": {"test": split}}
            self.data_loaded = True

    found = run(MtebEncoder(Embedder()), SameSearch())
    for ours, theirs in {
        "nDCG@10": "ndcg_at_10",
        "MRR@10": "mrr_at_10",
        "MAP@100": "map_at_100",
        "recall@5": "recall_at_5",
        "recall@10": "recall_at_10",
    }.items():
        assert alone.metrics[ours] == pytest.approx(found[theirs], abs=1e-5)  # mteb rounds to five decimals
    assert 0 < alone.metrics["nDCG@10"] < 1


def test_roles_get_their_prompts_and_titles_stand_before_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder(monkeypatch)
    found = run(MtebEncoder(Embedder(query_prompt="query: ", document_prompt="doc: ")), Search())
    assert found["ndcg_at_10"] == 1
    assert {"query: Where is the boat?", "query: Who hid the herbal?"} <= {*recorder.seen}
    assert "doc: Harbour The boat is behind the lighthouse." in recorder.seen
    assert sum(text.startswith("doc: ") for text in recorder.seen) == 3


@pytest.mark.parametrize(
    ("prompts", "expected"),
    [
        ({"STS": "type: "}, "type: "),
        ({"STS": "type: ", "RomaineSimilarity": "task: "}, "task: "),
        ({"Clustering": "other: "}, "query: "),
    ],
)
def test_a_task_or_its_type_may_have_a_prompt(
    monkeypatch: pytest.MonkeyPatch, prompts: dict[str, str], expected: str
) -> None:
    recorder = Recorder(monkeypatch)
    run(MtebEncoder(Embedder(query_prompt="query: "), prompts=prompts), Similarity())
    assert recorder.seen
    assert all(text.startswith(expected) for text in recorder.seen)


def test_prompts_by_role_of_a_type(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder(monkeypatch)
    run(MtebEncoder(Embedder(), prompts={"Retrieval-query": "Q ", "document": "D "}), Search())
    assert {text[:2] for text in recorder.seen} == {"Q ", "D "}


def test_runs_mtebs_own_sample_tasks() -> None:
    assert "v_measure" in run(MtebEncoder(Embedder()), MockClusteringTask())


def test_reports_main_scores() -> None:
    report = evaluate_mteb([Similarity(), Search()], embedder=Embedder(dim=128))
    assert [(score.task, score.metric) for score in report.scores] == [
        ("RomaineSimilarity", "cosine_spearman"),
        ("RomaineSearch", "ndcg_at_10"),
    ]
    assert report.mean == pytest.approx(sum(score.value for score in report.scores) / 2)
    assert (report.model, report.dim) == ("little-gem", 128)
    assert report.to_json()["scores"][1]["value"] == 1


def test_names_are_those_of_mteb() -> None:
    from romaine.evaluate.mteb import _named

    assert [task.metadata.name for task in _named("STSBenchmark")] == ["STSBenchmark"]
    assert len(_named("NanoBEIR")) == 13
    with pytest.raises(OptionError, match="no task or benchmark 'Nothing'"):
        evaluate_mteb(["Nothing"])
    with pytest.raises(OptionError, match="no task to run"):
        evaluate_mteb([])


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(OptionError, match="int8"):
        MtebEncoder(Embedder(precision="int8"))
    encoder = MtebEncoder(Embedder())
    task = {"task_metadata": Similarity.metadata, "hf_split": "test", "hf_subset": "default"}
    with pytest.raises(OptionError, match="binary"):
        encoder.encode([{"text": ["a"]}], precision="binary", **task)
    with pytest.raises(OptionError, match="only texts"):
        encoder.encode([{"image": [1]}], **task)
    vectors = encoder.encode([{"text": ["a", "b"]}, {"text": ["c"]}], prompt_type=PromptType.query, **task)
    assert vectors.shape == (3, Embedder().full_dim)
