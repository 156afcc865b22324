"""A student's file, checked to be what `export.graph.build` makes, for another form of it."""

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from inhibi.engine.errors import InputError
from inhibi.engine.metadata import Metadata
from inhibi.engine.student_file import read as read_file
from inhibi.export.graph import ATTENTION, NORM, REQUANTIZE, build
from inhibi.export.integers import (
    Classifier,
    DotProductAttention,
    Embeddings,
    FirstToken,
    InhibitorAttention,
    IntegerLayer,
    IntegerStudent,
    Linear,
    LookupLinear,
    MeanPool,
    Norm,
    NormLinear,
    RequantizedLinear,
)


class Initializers:
    """A file's arrays by node and name; KeyError where one is missing."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._values = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}

    def take(self, node: str, name: str) -> np.ndarray:
        return self._values[f"{node}.{name}"]


def read(path: Path) -> tuple[onnx.ModelProto, Metadata, Initializers]:
    """A student's file, what it says about itself, and its arrays, all of which are there.

    `InputError` where it is none, where an array has another type, shape or range than docs/SPEC.md
    gives, or where its graph is another than `build` makes of these integers.
    """
    model, described = read_file(path)
    try:
        values = Initializers(model)
        rebuilt = build(_student(_Arrays(values), described))
        strings = {entry.key: entry.value for entry in rebuilt.metadata_props}
        same = list(rebuilt.graph.node) == list(model.graph.node)
        same &= Metadata.parse(strings).shape == described.shape
    except KeyError as error:
        raise InputError(f"{path} lacks {error.args[0]}: export it again") from error
    except ValueError as error:  # shapes, types; an InputError is one, too
        raise InputError(f"{path} is damaged or of another maker: {error}") from error
    if not same:
        raise InputError(f"{path} holds another graph than export-onnx writes: export it again")
    return model, described, values


class _Arrays:
    """Initializers as the parts of a student."""

    def __init__(self, values: Initializers) -> None:
        self._values = values

    def take(self, node: str, *names: str) -> dict[str, np.ndarray]:
        return {name: self._values.take(node, name) for name in names}

    def weight(self, node: str) -> dict[str, np.ndarray]:
        return self.take(f"{node}.product", "weight")

    def norm(self, node: str) -> Norm:
        return Norm(**self.take(node, *NORM))

    def norm_linear(self, node: str) -> NormLinear:
        added = self.take(node, *REQUANTIZE, "residual_multiplier")
        return NormLinear(**self.weight(node), **added, norm=self.norm(node))

    def lookup(self, node: str) -> LookupLinear:
        tables = self.take(node, *REQUANTIZE, "table", "table_index")
        return LookupLinear(**self.weight(node), **tables)


def _student(arrays: _Arrays, m: Metadata) -> IntegerStudent:
    tables = ("word", "position", "token_type", "table_multiplier")
    return IntegerStudent(
        embeddings=Embeddings(**arrays.take("embeddings", *tables), norm=arrays.norm("embeddings")),
        layers=tuple(_layer(arrays, f"layer.{i}", m) for i in range(m.layers)),
        head=_head(arrays, m),
        heads=m.heads,
        max_tokens=m.max_tokens,
        family=m.family,
        problem=m.problem,
        labels=m.labels,
        output_scale=m.output_scale,
        tokenizer=m.tokenizer,
        centred=m.centred,
        signed=m.signed,
        n0=m.n0,
        token_types=bool(m.token_types),
        task=m.task,
        texts=m.texts,
    )


def _layer(arrays: _Arrays, name: str, m: Metadata) -> IntegerLayer:
    inhibits = m.attention == "inhibitor"
    last = "length" if inhibits else "table"
    attention = arrays.take(f"{name}.attention", *ATTENTION, last)
    return IntegerLayer(
        qkv=RequantizedLinear(
            **arrays.weight(f"{name}.qkv"), **arrays.take(f"{name}.qkv", *REQUANTIZE)
        ),
        attention=InhibitorAttention(**attention) if inhibits else DotProductAttention(**attention),
        attention_output=arrays.norm_linear(f"{name}.attention_output"),
        intermediate=arrays.lookup(f"{name}.intermediate"),
        output=arrays.norm_linear(f"{name}.output"),
    )


def _head(arrays: _Arrays, m: Metadata) -> Classifier | MeanPool | FirstToken:
    if m.problem != "embedding":
        classifier = Linear(**arrays.weight("classifier"), **arrays.take("logits", "bias"))
        return Classifier(arrays.lookup("pooler"), classifier)
    try:
        return MeanPool(**arrays.take("vector", "multiplier", "shift"))
    except KeyError:
        return FirstToken()
