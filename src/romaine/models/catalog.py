"""The models known by name: data only, from their published cards.

What others published of their quality is in `published`; what nobody published is left empty. The bundled
model's card is read from the `romaine.json` beside its weights, and so are those of models that other
distributions ship.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from romaine.errors import ModelNotFoundError
from romaine.models.card import Measure, ModelCard, Prompts
from romaine.models.card_json import CARD_FILE, read_card
from romaine.models.packaged import EXTRAS, PackagedModel, find_packaged, packaged_names
from romaine.models.published import (
    EMBEDDING_GEMMA,
    LEAF,
    LETTUCE,
    PUBLISHED,
    SSE,
    SSE_4_BIT,
    STATIC_RETRIEVAL,
)

BUNDLED = "little-gem"
BUNDLED_FOLDER = Path(__file__).parent / "little_gem"

_MB = 1_000_000
_SEARCH_PROMPTS = Prompts(query="search_query: ", document="search_document: ")
_TRANSFORMER_FILES = MappingProxyType(
    {"config": "config.json", "weights": "model.safetensors", "tokenizer": "tokenizer.json"}
)
_HUB_ONNX_FILES = MappingProxyType({"onnx:fp32": "onnx/model.onnx", "onnx:int8": "onnx/model_int8.onnx"})
_STATIC_FILES = MappingProxyType(
    {use: f"0_StaticEmbedding/{path}" for use, path in _TRANSFORMER_FILES.items() if use != "config"}
)
_TRANSFORMER = ("onnx", "torch", "sentence-transformers")
_COSINE = "memory Chat_[1-5]*.json --mode dense"
_MEMORY = "memory Chat_[1-5]*.json"
_MINILM_MEASURED = tuple(
    Measure(name=name, value=value, command=f"romaine eval {command} --model all-MiniLM-L6-v2")
    for name, value, command in (
        ("STSBenchmark dev Spearman, 384 dims", 0.8672, "sts stsb-en-dev.csv"),
        ("LoCoMo 1-5 recall@5, cosine", 0.3704, _COSINE),
        ("LoCoMo 1-5 recall@5, memory", 0.7228, _MEMORY),
        ("LoCoMo 1-5 recall@10, cosine", 0.4734, _COSINE),
        ("LoCoMo 1-5 recall@10, memory", 0.8102, _MEMORY),
        ("cosine from which a turn answers, 384 dims", 0.3551, _COSINE),
        ("cosine from which texts say the same, 384 dims", 0.6816, "sts stsb-en-dev.csv"),
    )
)

_PUBLISHED = (
    ModelCard(
        id=LETTUCE,
        kind="NomicBERT",
        full_dim=768,
        dims=(64, 128, 256, 512, 768),
        max_tokens=4096,
        files=MappingProxyType(
            {
                **_TRANSFORMER_FILES,
                "onnx:fp32": "onnx/model.fp32.onnx",
                "onnx:int8": "onnx/model.int8.onnx",
            }
        ),
        unit_output=True,
        backends=_TRANSFORMER,
        size=547_700_000,
        license="Apache-2.0",
        quality=PUBLISHED[LETTUCE],
        note="Made for recalling roleplay memories. Its ONNX files give unit 768-d vectors; int8 is 138 MB.",
    ),
    ModelCard(
        id="nomic-ai/nomic-embed-text-v1.5",
        languages=("en",),
        kind="NomicBERT",
        full_dim=768,
        dims=(64, 128, 256, 512, 768),
        max_tokens=8192,
        layer_norm=True,
        prompts=_SEARCH_PROMPTS,
        files=_HUB_ONNX_FILES,
        backends=_TRANSFORMER,
        note="Backbone of lettuce-emb. Vectors are layer-normalised before slicing.",
    ),
    ModelCard(
        id="nomic-ai/modernbert-embed-base",
        languages=("en",),
        kind="ModernBERT",
        full_dim=768,
        dims=(256, 768),
        max_tokens=8192,
        prompts=_SEARCH_PROMPTS,
        files=_HUB_ONNX_FILES,
        backends=_TRANSFORMER,
        license="Apache-2.0",
        note="149M parameters; its ONNX files return token states, pooled here.",
    ),
    ModelCard(
        id=STATIC_RETRIEVAL,
        languages=("en",),
        kind="static",
        full_dim=1024,
        dims=(32, 64, 128, 256, 512, 1024),
        files=_STATIC_FILES,
        backends=("static", "sentence-transformers"),
        size=125 * _MB,
        license="Apache-2.0",
        quality=PUBLISHED[STATIC_RETRIEVAL],
        note="English retrieval; 107,500 sentences/s on a desktop CPU by its authors' measurement.",
    ),
    ModelCard(
        id="sentence-transformers/static-similarity-mrl-multilingual-v1",
        kind="static",
        full_dim=1024,
        dims=(32, 64, 128, 256, 512, 1024),
        files=_STATIC_FILES,
        backends=("static", "sentence-transformers"),
        license="Apache-2.0",
        note="Multilingual similarity.",
    ),
    ModelCard(
        id=SSE,
        languages=("en",),
        kind="SSE",
        full_dim=512,
        dims=(32, 64, 128, 256, 512),
        backends=("static",),
        size=62_500_000,
        license="Apache-2.0",
        quality=PUBLISHED[SSE],
        note="A static table followed by a dynamic tanh per dimension; English retrieval.",
    ),
    ModelCard(
        id=SSE_4_BIT,
        languages=("en",),
        kind="SSE, 4-bit",
        full_dim=512,
        dims=(32, 64, 128, 256, 512),
        backends=("static",),
        size=7_900_000,
        license="Apache-2.0",
        quality=PUBLISHED[SSE_4_BIT],
        note="The model above in 4 bits.",
    ),
    ModelCard(
        id=EMBEDDING_GEMMA,
        kind="Gemma3 encoder + dense",
        full_dim=768,
        dims=(128, 256, 512, 768),
        max_tokens=2048,
        prompts=Prompts(query="task: search result | query: ", document="title: none | text: "),
        backends=("sentence-transformers",),
        quality=PUBLISHED[EMBEDDING_GEMMA],
        note="Base of the LEAF experiment; runs through sentence-transformers.",
    ),
    ModelCard(
        id=LEAF,
        kind="LEAF v1, int8 pickle",
        full_dim=768,
        dims=(768,),
        max_tokens=512,
        files=MappingProxyType({**_TRANSFORMER_FILES, "weights": "model_quantized.pt"}),
        backends=("torch",),
        size=441 * _MB,
        license="Apache-2.0",
        quality=PUBLISHED[LEAF],
        note="Failed its evaluation; its authors ask not to use it.",
    ),
    ModelCard(
        id="sentence-transformers/all-MiniLM-L6-v2",
        languages=("en",),
        kind="BERT",
        full_dim=384,
        dims=(384,),
        max_tokens=256,
        files=_TRANSFORMER_FILES,
        backends=_TRANSFORMER,
        size=90_868_376,
        license="Apache-2.0",
        measured=_MINILM_MEASURED,
        note="The one everyone compares with; not trained for slicing.",
    ),
)

CATALOG: Mapping[str, ModelCard] = MappingProxyType({card.id: card for card in _PUBLISHED})
"""The published models by hub id. The bundled one is `bundled_card()`."""

_TAKEN = (BUNDLED, *CATALOG)


@lru_cache(maxsize=1)
def bundled_card() -> ModelCard:
    """The bundled model's card, read from its file once.

    Raises:
        ModelFormatError: If the installation lacks it.
    """
    return read_card(BUNDLED_FOLDER / CARD_FILE)


def names() -> tuple[str, ...]:
    """Every name there is: the bundled model's, those of other distributions, the published ones."""
    return (BUNDLED, *packaged_names(taken=_TAKEN), *CATALOG)


def installable() -> dict[str, str]:
    """Models of this project that are not installed, with the extra that installs each."""
    installed = names()
    return {name: extra for name, extra in EXTRAS.items() if name not in installed}


def packaged(name: str) -> PackagedModel | None:
    """The model of that name that another distribution brings, or None; raises as `find_packaged`."""
    return find_packaged(name, taken=_TAKEN)


def find(name: str) -> ModelCard | None:
    """The card of `name`, or None.

    Args:
        name: Of an installed model, a hub id, or the part after its slash where only one model has it.

    Raises:
        PluginError: If a distribution says that it has this model and does not.
        ModelFormatError: If an installed model's card cannot be read.
    """
    if name == BUNDLED:
        return bundled_card()
    if name in CATALOG:
        return CATALOG[name]
    if (installed := packaged(name)) is not None:
        return installed.card
    short = [card for card in _PUBLISHED if card.id.rpartition("/")[2] == name]
    return short[0] if len(short) == 1 else None


def card(name: str) -> ModelCard:
    """The card of `name`; raises as `find`.

    Raises:
        ModelNotFoundError: If the catalog has none, naming what it has.
    """
    found = find(name)
    if found is None:
        raise ModelNotFoundError(f"the catalog has no model {name!r}; it has: {', '.join(names())}")
    return found
