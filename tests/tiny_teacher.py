"""Small random checkpoints and data folders, made where a test needs them."""

import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import torch
from pyarrow import parquet
from tiny import VOCABULARY, WORDS, tokenizer_json
from tokenizers import Tokenizer
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

LABELS = {0: "negative", 1: "positive"}


def tiny_bert(
    layers: int = 2, hidden: int = 16, heads: int = 2, spread: float = 0.3, seed: int = 0
) -> PreTrainedModel:
    """A random BERT classifier of the tiny vocabulary; `spread` is its weights' deviation."""
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=2 * hidden,
        max_position_embeddings=40,
        initializer_range=spread,
        id2label=LABELS,
        label2id={name: i for i, name in LABELS.items()},
    )
    return BertForSequenceClassification(config).eval()


def tiny_distilbert(layers: int = 2, seed: int = 0) -> PreTrainedModel:
    """A random DistilBERT classifier of the tiny vocabulary."""
    torch.manual_seed(seed)
    config = DistilBertConfig(
        vocab_size=len(VOCABULARY),
        dim=16,
        n_layers=layers,
        n_heads=2,
        hidden_dim=32,
        max_position_embeddings=40,
        initializer_range=0.3,
        id2label=LABELS,
        label2id={name: i for i, name in LABELS.items()},
    )
    return DistilBertForSequenceClassification(config).eval()


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """The tiny WordPiece tokenizer as transformers has it."""
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(tokenizer_json()),
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        unk_token="[UNK]",
        mask_token="[MASK]",
    )


def save_teacher(folder: Path, model: PreTrainedModel | None = None) -> Path:
    """A checkpoint folder with weights, config and tokenizer."""
    (model or tiny_bert()).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder


def truncate(file: Path) -> None:
    """Its first half."""
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def change_config(folder: Path, **entries: object) -> None:
    """Other entries in config.json."""
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | entries))


def save_record(folder: Path, stages: Sequence[str]) -> None:
    """run.json and the stages' metrics.json of a run of recipe best; "ptq" does not train."""
    for stage in stages:
        log = [] if stage == "ptq" else [{"loss": 1.0}, {"train_runtime": 30.0}]
        metrics = {
            **{"steps": 10, "split": "held back", "score": {"accuracy": 0.5}, "log": log},
            "device": "1 x a processor",
        }
        (folder / stage / "metrics.json").write_text(json.dumps(metrics))
    described = {"task": "sst2", "recipe": "best", "recipe_sha256": "ab", "seed": 3}
    more = {"teacher": "tiny", "held_back": 0.5}
    (folder / "run.json").write_text(json.dumps(described | more))


def save_data(folder: Path, count: int = 64) -> Path:
    """DIR/glue/sst2/SPLIT.parquet: 'good' texts are positive, 'bad' ones negative."""
    texts = [
        " ".join([WORDS[i % len(WORDS)], "good" if i % 2 else "bad", *WORDS[: i % 7]])
        for i in range(count)
    ]
    table = pa.table({"sentence": texts, "label": [i % 2 for i in range(count)]})
    (folder / "glue" / "sst2").mkdir(parents=True)
    for split in ("train", "validation"):
        parquet.write_table(table, folder / "glue" / "sst2" / f"{split}.parquet")
    return folder
