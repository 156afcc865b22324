"""Students that make sentence embeddings: one vector of a text's hidden states, no classifier."""

from torch import Tensor


def pooled(hidden: Tensor, valid: Tensor, pooling: str) -> Tensor:
    """The embedding [B,C] of hidden states [B,T,C]: their mean over the valid tokens (bool [B,T],
    special tokens included), as sentence-transformers has it, or the first one ("cls")."""
    if pooling == "cls":
        return hidden[:, 0]
    weight = valid.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weight).sum(1) / weight.sum(1)
