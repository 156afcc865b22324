"""Float logits of a teacher or student, for comparison with the integers."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from accelerate.utils import convert_to_fp32
from torch import Tensor, nn
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from inhibi.engine.errors import InputError
from inhibi.engine.text import Text
from inhibi.kd.embedding import pooled
from inhibi.kd.student import reason


def load_tokenizer(path: str | Path) -> PreTrainedTokenizerBase:
    """The checkpoint's tokenizer, which must be WordPiece and have a padding token; it always gives
    token types. Raises `InputError`."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(path)
    except Exception as error:  # the libraries' have no common base
        raise InputError(f"no tokenizer at {path}: {reason(error)}") from error
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


Answer = tuple[Tensor, list[Tensor]]  # logits [B, labels] and hidden states, in full precision


def answer(model: nn.Module, inputs: Mapping[str, Tensor]) -> Answer:
    """What a teacher or student, in float or quantized, makes of a batch; where it embeds texts its
    vectors [B,C] stand in the logits' place."""
    made = model(**inputs, output_hidden_states=True)
    hidden = [convert_to_fp32(state) for state in made.hidden_states]
    pooling = getattr(model.config, "pooling", None)
    if pooling and isinstance(model, PreTrainedModel):  # a quantized student's are its output
        return pooled(hidden[-1], inputs["attention_mask"].bool(), pooling), hidden
    return convert_to_fp32(made.logits), hidden


def logits(
    model: nn.Module,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[Text],
    max_length: int = 512,
    batch_size: int = 32,
) -> np.ndarray:
    """Logits (or vectors) float32 [B, labels]; texts of similar length share a batch."""
    order = sorted(range(len(texts)), key=lambda i: len(str(texts[i])))
    model.eval()
    device = next(model.parameters()).device
    max_length = min(max_length, getattr(model.config, "max_position_embeddings", max_length))
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
            rows = answer(model, encoded.to(device))[0].cpu().numpy()
        made |= dict(zip(chosen, rows, strict=True))
    return np.stack([made[i] for i in range(len(texts))])
