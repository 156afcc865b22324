"""Measured joules of an inference: this file on our engine, other files on onnxruntime alone."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from inhibi.engine.errors import InputError
from inhibi.engine.session import open_session
from inhibi.engine.text import Encoded
from inhibi.eval.energy.powercap import NotAvailable, per_inference, zones

TOKEN_TYPES, MASK = "token_type_ids", "attention_mask"
SEED, LEAST_ID, MOST_ID = 0, 1000, 10_000  # words of every usual vocabulary


def measure(path: Path, tokens: int, peers: Sequence[Path]) -> dict[str, Any]:
    """Joules of one sentence of `tokens` tokens by each model, or why there are none.

    Raises `InputError` where a peer is no such model.
    """
    ids = np.random.default_rng(SEED).integers(LEAST_ID, MOST_ID, tokens).tolist()
    models = {f"{path}, this engine": _ours(path, ids)}
    models |= {f"{peer}, onnxruntime": _peer(peer, ids) for peer in peers}
    try:
        found = per_inference(models, zones())
    except NotAvailable as error:
        return {"available": False, "reason": str(error)}
    return {"available": True, "tokens": tokens, **found}


def _ours(path: Path, ids: list[int]) -> Callable[[], Any]:
    session = open_session(path, "ort")
    words = session.metadata.vocabulary
    sentence = Encoded([i % words for i in ids], [0] * len(ids), len(ids))
    return lambda: session.logits([sentence])


def _peer(path: Path, ids: list[int]) -> Callable[[], Any]:
    import onnxruntime

    if not path.is_file():
        raise InputError(f"no model file {path}")
    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        given = {"input_ids": np.array([ids], np.int64)}
        given |= {MASK: np.ones_like(given["input_ids"]), TOKEN_TYPES: given["input_ids"] * 0}
        inputs = {one.name: given[one.name] for one in session.get_inputs()}
        session.run(None, inputs)
    except Exception as error:  # onnxruntime's errors have no common base
        raise InputError(
            f"{path} is no ONNX transformer that takes input_ids, {MASK} and {TOKEN_TYPES} "
            f"({str(error).splitlines()[0]})"
        ) from error
    return lambda: session.run(None, inputs)
