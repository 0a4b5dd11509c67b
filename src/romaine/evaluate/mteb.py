"""Models on MTEB: an `Embedder` as an encoder of the `mteb` library, with prompts by task and any dimension.

    import mteb
    from romaine import Embedder
    from romaine.evaluate.mteb import MtebEncoder

    mteb.evaluate(MtebEncoder(Embedder(dim=128)), mteb.get_benchmark("NanoBEIR").tasks)

The only file that imports mteb. Fetching its tasks needs the network; running tasks that are here does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from romaine.embedder import Embedder
from romaine.errors import MissingExtraError, OfflineError, OptionError
from romaine.evaluate.matryoshka import check_float32
from romaine.precision import Precision

try:
    import mteb
    from mteb.models import ModelMeta
    from mteb.models.abs_encoder import AbsEncoder, get_prompt_name
    from mteb.models.model_meta import ScoringFunction
    from mteb.types import PromptType
except ImportError:
    raise MissingExtraError("measuring with mteb", "mteb") from None

if TYPE_CHECKING:
    from mteb.abstasks.abstask import AbsTask
    from mteb.abstasks.task_metadata import TaskMetadata
    from mteb.types import BatchedInput
    from numpy.typing import NDArray

__all__ = ["MtebEncoder", "MtebReport", "MtebScore", "evaluate_mteb"]

_FRAMEWORKS = MappingProxyType(
    {"static": "NumPy", "onnx": "ONNX", "torch": "PyTorch", "sentence-transformers": "Sentence Transformers"}
)
_ORGANISATION = "romaine"  # mteb wants organisation/name, as the hub does


class MtebEncoder(AbsEncoder):
    """An embedder as mteb's `EncoderProtocol` (mteb 2).

    Which prompt a text gets: one of `prompts` if there is one for the task, found in mteb's own order
    ("TASK-query" or "TASK-document", "TASK", "TYPE-query", "TYPE", "query" or "document"); else the
    embedder's query or document prompt, by the role mteb names. Where it names none, as for similarity,
    classification and clustering, all texts are embedded as queries: such tasks are symmetric.

    Args:
        embedder: The model, at the dimension to be measured. Its batching is its own; mteb's `batch_size` is
            not used.
        prompts: Texts to put before, by task name, task type (e.g. "Clustering") or role, each perhaps with
            "-query" or "-document".

    Raises:
        OptionError: If the embedder packs its vectors, which mteb would compare as plain numbers.
    """

    def __init__(self, embedder: Embedder, *, prompts: Mapping[str, str] | None = None) -> None:
        check_float32(embedder, "MTEB")
        self._embedder = embedder.warm_up()
        self._prompts = dict(prompts or {})
        self.mteb_model_meta = _meta(embedder, self._prompts)

    def encode(
        self,
        inputs: Iterable[BatchedInput],
        *,
        task_metadata: TaskMetadata,
        hf_split: str,  # noqa: ARG002 - the protocol has it
        hf_subset: str,  # noqa: ARG002 - the protocol has it
        prompt_type: PromptType | None = None,
        **kwargs: Any,
    ) -> NDArray[Any]:
        """Embeds what mteb hands over.

        Args:
            inputs: mteb's `DataLoader`: batches with texts under "text", a document's title before it.
            task_metadata: The task, which decides the prompt.
            hf_split: Not used.
            hf_subset: Not used.
            prompt_type: The role of the texts, or None.
            **kwargs: mteb's `EncodeKwargs`; of these `show_progress_bar` is used.

        Returns:
            float32 (n, dim), unit length.

        Raises:
            OptionError: If there is something other than text, or another precision is asked for.
        """
        precision = kwargs.get("precision")
        if precision not in (None, Precision.FLOAT32.value):
            raise OptionError(f"precision={precision!r} is not possible with mteb; leave it out")
        texts = [text for batch in inputs for text in _texts(batch)]
        embedder = self._prompted(task_metadata, prompt_type)
        if kwargs.get("show_progress_bar"):
            embedder.show_progress = True
        if prompt_type == PromptType.document:
            return embedder.embed_documents(texts)
        return embedder.embed_queries(texts)

    def _prompted(self, task: TaskMetadata, role: PromptType | None) -> Embedder:
        key = get_prompt_name(self._prompts, task, role)
        if key is None:
            return self._embedder.with_dim(self._embedder.dim)
        return self._embedder.with_prompts(query=self._prompts[key], document=self._prompts[key])


@dataclass(frozen=True, kw_only=True)
class MtebScore:
    """One task's main score.

    Attributes:
        task: The task's name.
        type: Its type, e.g. "Retrieval".
        metric: Name of the main score, e.g. "ndcg_at_10".
        value: Its mean over splits and languages.
    """

    task: str
    type: str
    metric: str
    value: float


@dataclass(frozen=True, kw_only=True)
class MtebReport:
    """What was measured.

    Attributes:
        model: The model's id.
        backend: What ran it.
        dim: Components of its vectors.
        mteb: Version of the library.
        scores: One for each task.
    """

    model: str
    backend: str
    dim: int
    mteb: str
    scores: tuple[MtebScore, ...]

    @property
    def mean(self) -> float:
        """The mean of the tasks' scores."""
        return sum(score.value for score in self.scores) / len(self.scores)

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {
            "model": self.model,
            "backend": self.backend,
            "dim": self.dim,
            "mteb": self.mteb,
            "mean": self.mean,
            "scores": [vars(score) for score in self.scores],
        }


def evaluate_mteb(
    tasks: Iterable[str | AbsTask],
    *,
    embedder: Embedder | None = None,
    prompts: Mapping[str, str] | None = None,
    show_progress: bool = False,
) -> MtebReport:
    """Runs tasks and keeps nothing on disk but the data sets that mteb fetches.

    Args:
        tasks: Names of tasks or benchmarks ("STSBenchmark", "NanoBEIR"), or tasks.
        embedder: The model; None for the bundled one.
        prompts: See `MtebEncoder`.
        show_progress: Whether mteb shows its progress bars.

    Raises:
        OptionError: If no task is given or a name is unknown.
        OfflineError: If a data set cannot be fetched.
    """
    chosen = [task for item in tasks for task in (_named(item) if isinstance(item, str) else [item])]
    if not chosen:
        raise OptionError("no task to run: name tasks or benchmarks of mteb, e.g. STSBenchmark or NanoBEIR")
    embedder = embedder or Embedder()
    encoder = MtebEncoder(embedder, prompts=prompts)
    try:
        results = mteb.evaluate(
            encoder, chosen, cache=None, show_progress_bar=show_progress, co2_tracker=False
        )
    except OSError as error:
        raise OfflineError(f"mteb cannot fetch the data of its tasks ({error}); try again online") from None
    scores = {result.task_name: float(result.get_score()) for result in results.task_results}
    return MtebReport(
        model=embedder.card.id,
        backend=embedder.backend,
        dim=embedder.dim,
        mteb=mteb.__version__,
        scores=tuple(
            MtebScore(
                task=task.metadata.name,
                type=task.metadata.type,
                metric=task.metadata.main_score,
                value=scores[task.metadata.name],
            )
            for task in chosen
        ),
    )


def _named(name: str) -> Sequence[AbsTask]:
    """The tasks of a benchmark, or the one task of this name."""
    benchmarks = {benchmark.name for benchmark in mteb.get_benchmarks()}
    if name in benchmarks:
        return list(mteb.get_benchmark(name).tasks)
    try:
        return [mteb.get_task(name)]
    except KeyError:
        raise OptionError(
            f"mteb {mteb.__version__} has no task or benchmark {name!r};"
            " mteb.get_tasks() and mteb.get_benchmarks() list them"
        ) from None


def _texts(batch: Mapping[str, Any]) -> Sequence[str]:
    if "text" not in batch:
        raise OptionError(f"only texts can be embedded; this task has {', '.join(batch) or 'nothing'}")
    return list(batch["text"])


def _meta(embedder: Embedder, prompts: Mapping[str, str]) -> ModelMeta:
    """What mteb files results under: the model by its fingerprint, apart for each dimension and prompts."""
    card = embedder.card
    return ModelMeta.create_empty(
        {
            "name": card.id if "/" in card.id else f"{_ORGANISATION}/{card.id}",
            "revision": embedder.fingerprint,
            "embed_dim": embedder.dim,
            "max_tokens": embedder.max_tokens,
            "license": card.license.lower() or None,
            "framework": [_FRAMEWORKS[embedder.backend]] if embedder.backend in _FRAMEWORKS else [],
            "similarity_fn_name": ScoringFunction.COSINE,
            "use_instructions": bool(prompts or card.prompts.query or card.prompts.document),
            "experiment_kwargs": {"dim": str(embedder.dim), "backend": embedder.backend, **prompts},
        }
    )
