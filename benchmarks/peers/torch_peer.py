"""The teacher on torch, with its fused attention."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.peers.peer import Call, Ids, Peer, padded
from benchmarks.peers.teacher import Teacher

NAME = "torch fp32"


def torch_peer(teacher: Teacher, threads: int) -> Peer:
    """Sets torch's threads for the whole process."""
    import torch

    model: Any = teacher.model
    model.set_attn_implementation("sdpa")
    torch.set_num_threads(threads)

    def prepare(sentences: Sequence[Ids]) -> Call:
        inputs = {name: torch.from_numpy(array) for name, array in padded(sentences).items()}

        def run() -> np.ndarray:
            with torch.inference_mode():
                return model(**inputs).logits.numpy()

        return run

    settings = {"model": "eager, scaled_dot_product_attention", "threads": threads}
    return Peer(NAME, prepare, settings, exact=True)
