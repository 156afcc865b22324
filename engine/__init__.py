"""The arithmetic, the engines and `infer`: `load().classify(["a text"])`.

Importing this imports nothing heavy, and never torch, transformers or brevitas.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inhibi.engine.model import Embeddings, Model, Prediction, load

__all__ = ["Embeddings", "Model", "Prediction", "load"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from inhibi.engine import model

        return getattr(model, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
