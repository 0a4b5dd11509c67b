"""The file layouts models come in, as one table tried in order.

A layout says what marks it, which backends can run it and where each file may be. Nothing else in the package
looks at file names. A model may fit several layouts at once (weights for torch beside an ONNX file); the
order of the table is the order of preference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from romaine.models.card_json import CARD_FILE
from romaine.models.late_layout import COLBERT_CONFIG, ONNX_CONFIG, late_layout
from romaine.models.tree import FileTree

PICKLE_SUFFIXES = (".pt", ".bin", ".pkl", ".pickle", ".pth", ".ckpt", ".joblib", ".dill")
"""Weight files whose format can run code when opened; see `is_pickle`."""

SSE_CODES = "embedding.q4_k_m.bin"
"""The 4-bit codes of a quantised SSE model: a raw array, not a pickle."""

VARIANTS = ("fp32", "int8")
PLAIN_MODULES = frozenset({"Transformer", "Pooling", "Normalize"})
"""All that may follow, or be, a transformer which is run here without sentence-transformers."""

Candidates = Mapping[str, tuple[str, ...]]


def is_pickle(path: str) -> bool:
    """Whether a weight file of this name would be unpickled, or is the index of shards that would."""
    return path.lower().removesuffix(".index.json").endswith(PICKLE_SUFFIXES)


Condition = Callable[[FileTree], bool]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """One way a model's files are arranged.

    Attributes:
        name: For messages and `LocalModel.layout`.
        backends: Those able to run it.
        applies: Whether a tree is marked as this layout, looking at paths and JSON files only.
        required: Relative paths by use, the first that exists wins. "{module}" stands for the folder of the
            first module in `modules.json`.
        any_of: Uses of which at least one must be there.
        optional: As `required`, for what may be absent.
    """

    name: str
    backends: tuple[str, ...]
    applies: Condition
    required: Candidates
    any_of: Candidates = field(default_factory=dict)
    optional: Candidates = field(default_factory=dict)


def _has_module(*kinds: str) -> Condition:
    return lambda tree: bool(tree.modules) and tree.modules[0].kind in kinds


def _has_model_type(*types: str) -> Condition:
    return lambda tree: tree.config.get("model_type") in types


def _in_module(name: str, usual_folder: str) -> tuple[str, ...]:
    return (f"{{module}}{name}", name, f"{usual_folder}/{name}")


def _is_romaine_static(tree: FileTree) -> bool:
    backends = tree.json_object(CARD_FILE).get("backends") if CARD_FILE in tree.paths else None
    return isinstance(backends, list) and "static" in backends


def _is_static_without_modules(tree: FileTree) -> bool:
    return not tree.modules and any(path.startswith("0_StaticEmbedding/") for path in tree.paths)


def _is_plain_transformer(tree: FileTree) -> bool:
    """Whether pooling and normalising are all that follows the transformer, so that they can be done here."""
    if tree.modules:
        return tree.modules[0].kind == "Transformer" and {m.kind for m in tree.modules} <= PLAIN_MODULES
    return "config.json" in tree.paths and tree.config.get("model_type") != "model2vec"


def _may_have_onnx(tree: FileTree) -> bool:
    # A dense layer after the pooling is not in an ONNX file of the transformer alone, unless the file was
    # exported whole, which a card beside it says.
    # Where a dense layer follows the tokens' states themselves, it is done here if the file has none.
    return (
        CARD_FILE in tree.paths
        or not tree.modules
        or _is_plain_transformer(tree)
        or late_layout(tree) is not None
    )


_TOKENIZER = tuple(f"{folder}tokenizer.json" for folder in ("{module}", "", "onnx/", "0_Transformer/"))
_OTHER_TOKENIZERS = ("vocab.txt", "tokenizer.model", "sentencepiece.bpe.model", "spiece.model", "vocab.json")
_TOKENIZER_OF_ANY_KIND = (*_TOKENIZER, *("{module}" + name for name in _OTHER_TOKENIZERS))
_SHARDED = ("{module}model.safetensors", "{module}model.safetensors.index.json")
_PICKLES = (
    "{module}pytorch_model.bin",
    "pytorch_model.bin",
    "model_quantized.pt",
    "model_fp32.pt",
    "model.pt",
    "pytorch_model.pt",
    "model.bin",
    "model.pkl",
    "embeddings.pkl",
    "{module}pytorch_model.bin.index.json",
)
_DETAILS: Candidates = {
    "tokenizer_config": ("{module}tokenizer_config.json", "tokenizer_config.json"),
    "special_tokens_map": ("{module}special_tokens_map.json", "special_tokens_map.json"),
    "added_tokens": ("{module}added_tokens.json", "added_tokens.json"),
    "vocab": ("{module}vocab.txt",),
    "merges": ("{module}merges.txt",),
    "adapter_config": ("{module}adapter_config.json",),
    "adapter": ("{module}adapter_model.safetensors",),
    "sentence_bert_config": ("{module}sentence_bert_config.json", "sentence_bert_config.json"),
    "modules": ("modules.json",),
    "pooling": ("1_Pooling/config.json",),
    "prompts": ("config_sentence_transformers.json",),
    "onnx_config": (ONNX_CONFIG,),
    "colbert_config": (COLBERT_CONFIG,),
    "card": (CARD_FILE,),
}
_PLAIN: Candidates = {"weights": ("model.safetensors",), "tokenizer": ("tokenizer.json",)}
_CONFIG: Candidates = {"config": ("{module}config.json", "config.json")}
_PROMPTS: Candidates = {"prompts": ("config_sentence_transformers.json",)}
_MODULES: Candidates = {"modules": ("modules.json",)}
_ST_DETAILS: Candidates = {**_CONFIG, **_MODULES, **_PROMPTS}
_INT8 = ("model.int8.onnx", "model_int8.onnx", "model_quantized.onnx")
_ONNX: Candidates = {
    "onnx:fp32": (
        "onnx/model.fp32.onnx",
        "onnx/model.onnx",
        "model.fp32.onnx",
        "model.onnx",
        "onnx/model_fp32.onnx",
    ),
    "onnx:int8": (*(f"onnx/{name}" for name in _INT8), *_INT8),
}
_ONNX_DATA: Candidates = {
    f"{use}:data": tuple(path + suffix for path in paths for suffix in ("_data", ".data"))
    for use, paths in _ONNX.items()
}

LAYOUTS: tuple[Layout, ...] = (
    Layout(
        name="romaine",
        backends=("static",),
        applies=_is_romaine_static,
        required={**_PLAIN, "card": (CARD_FILE,)},
    ),
    Layout(
        name="SSE, 4-bit",
        backends=("static",),
        applies=lambda tree: any(path.rpartition("/")[2] == SSE_CODES for path in tree.paths),
        required={
            "weights": _in_module("model_rest.safetensors", "0_SSE"),
            "codes": _in_module(SSE_CODES, "0_SSE"),
            "tokenizer": (*_TOKENIZER, "0_SSE/tokenizer.json"),
        },
        optional=_ST_DETAILS,
    ),
    Layout(
        name="SSE",
        backends=("static",),
        applies=lambda tree: _has_module("SSE")(tree) or _has_model_type("sse", "SSE")(tree),
        required={
            "weights": _in_module("model.safetensors", "0_SSE"),
            "tokenizer": (*_TOKENIZER, "0_SSE/tokenizer.json"),
        },
        optional=_ST_DETAILS,
    ),
    Layout(
        name="StaticEmbedding",
        backends=("static", "sentence-transformers"),
        applies=_has_module("StaticEmbedding"),
        required={
            "weights": _in_module("model.safetensors", "0_StaticEmbedding"),
            "tokenizer": (*_TOKENIZER, "0_StaticEmbedding/tokenizer.json"),
            "modules": ("modules.json",),
        },
        optional=_ST_DETAILS,
    ),
    Layout(
        name="StaticEmbedding without modules.json",
        backends=("static",),
        applies=_is_static_without_modules,
        required={
            "weights": ("0_StaticEmbedding/model.safetensors",),
            "tokenizer": ("0_StaticEmbedding/tokenizer.json",),
        },
        optional=_PROMPTS,
    ),
    Layout(
        name="Model2Vec",
        backends=("static",),
        applies=_has_model_type("model2vec"),
        required={**_PLAIN, "config": ("config.json",)},
        optional=_MODULES,
    ),
    Layout(
        name="ONNX",
        backends=("onnx",),
        applies=_may_have_onnx,
        required={"tokenizer": _TOKENIZER},
        any_of=_ONNX,
        optional={**_CONFIG, **_DETAILS, **_ONNX_DATA},
    ),
    Layout(
        name="transformers",
        backends=("torch", "sentence-transformers"),
        applies=_is_plain_transformer,
        required={**_CONFIG, "weights": _SHARDED, "tokenizer": _TOKENIZER},
        optional=_DETAILS,
    ),
    Layout(
        name="sentence-transformers",
        backends=("sentence-transformers",),
        applies=lambda tree: bool(tree.modules),
        required={**_MODULES, "weights": _SHARDED, "tokenizer": _TOKENIZER_OF_ANY_KIND},
        optional={**_CONFIG, **_DETAILS},
    ),
    Layout(
        name="pickle",
        backends=("torch", "sentence-transformers"),
        applies=lambda tree: "config.json" in tree.paths,
        required={**_CONFIG, "weights": _PICKLES, "tokenizer": _TOKENIZER},
        optional=_DETAILS,
    ),
)
