"""Float logits of a teacher or student, for comparison with the integers."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from inhibi.engine.errors import InputError
from inhibi.engine.text import Text


def load_tokenizer(path: str | Path) -> PreTrainedTokenizerBase:
    """The checkpoint's tokenizer, which must be WordPiece and have a padding token; it always gives
    token types. Raises `InputError`."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(path)
    except (OSError, ValueError) as error:
        raise InputError(f"no tokenizer at {path}: {str(error).splitlines()[0]}") from error
    kind = type(tokenizer.backend_tokenizer.model).__name__ if tokenizer.is_fast else "slow"
    if kind != "WordPiece":
        raise InputError(
            f"the tokenizer at {path} is {kind}: only WordPiece is supported, "
            "choose a BERT or DistilBERT checkpoint"
        )
    if tokenizer.pad_token_id is None:
        raise InputError(f"the tokenizer at {path} has no pad_token: name it, for example [PAD]")
    # Many leave the types out, but the exported file reads them. DistilBERT takes no notice.
    tokenizer.model_input_names = ["input_ids", "token_type_ids", "attention_mask"]
    return tokenizer


def logits(
    model: nn.Module,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[Text],
    max_length: int = 512,
    batch_size: int = 32,
) -> np.ndarray:
    """Logits float32 [B, labels]; texts of similar length share a batch."""
    order = sorted(range(len(texts)), key=lambda i: len(str(texts[i])))
    model.eval()
    device = next(model.parameters()).device
    made: dict[int, np.ndarray] = {}
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        encoded = tokenizer(
            [texts[i] for i in chosen],
            truncation=True,
            max_length=max_length,
            padding=True,
            return_tensors="pt",
        )
        with torch.inference_mode():
            rows = model(**encoded.to(device)).logits.cpu().numpy()
        made |= dict(zip(chosen, rows, strict=True))
    return np.stack([made[i] for i in range(len(texts))])
