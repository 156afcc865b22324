"""The student, and the same student with integer dot-product attention."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from benchmarks.attention_parameters import dot_product_parameters
from benchmarks.peers.peer import Call, Ids, Peer
from inhibi.engine.runtime import Runtime
from inhibi.engine.session import Session, open_session, pack
from inhibi.export.bodies import functions

OURS = "inhibi int8, inhibitor"
DOT_PRODUCT = "inhibi int8, dot product"


@dataclass(frozen=True)
class Sentence:
    """Ids as the engines take them."""

    ids: Ids
    type_ids: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.type_ids.extend([0] * len(self.ids))


def our_peer(name: str, path: Path, threads: int) -> Peer:
    """`answer` is the public session, with its checks of every id."""
    runtime = Runtime(path, threads)
    session = Session(runtime)
    scale = session.metadata.output_scale

    def prepare(sentences: Sequence[Ids]) -> Call:
        feeds = pack([Sentence(ids) for ids in sentences])
        if not session.metadata.token_types:
            del feeds["token_type_ids"]
        return lambda: runtime.run(feeds) * scale

    def answer(sentences: Sequence[Ids]) -> np.ndarray:
        return session.logits([Sentence(ids) for ids in sentences]) * scale

    return Peer(name, prepare, {"model": path.name, "threads": threads}, answer=answer)


def reference(path: Path) -> Peer:
    """The NumPy engine, which ours must equal."""
    session = open_session(path, "numpy")
    scale = session.metadata.output_scale

    def prepare(sentences: Sequence[Ids]) -> Call:
        return lambda: session.logits([Sentence(ids) for ids in sentences]) * scale

    return Peer("NumPy", prepare)


def make_dot_product(source: Path, path: Path) -> None:
    """The same file with every InhibitorAttention replaced by DotProductAttention.

    Its weights are not trained for that, so its answers mean nothing; its time is what a
    dot-product student of this shape takes.
    """
    model = onnx.load(source)
    for node in model.graph.node:
        if node.op_type == "InhibitorAttention":
            _replace(model.graph, node)
    used = {node.op_type for node in model.graph.node if node.domain}
    del model.functions[:]
    model.functions.extend(functions(sorted(used)))
    onnx.save(model, path)


def _replace(graph: onnx.GraphProto, node: onnx.NodeProto) -> None:
    heads = next(a.i for a in node.attribute if a.name == "heads")
    shapes = {tensor.name: tensor for tensor in graph.initializer}
    hidden = len(numpy_helper.to_array(shapes[node.input[5]]))
    values = dot_product_parameters(heads, hidden // heads)
    inputs = [*node.input[:2], *(f"{node.name}.dot_product.{name}" for name in values)]
    graph.initializer.extend(
        numpy_helper.from_array(value, name)
        for value, name in zip(values.values(), inputs[2:], strict=True)
    )
    attributes = {"heads": heads, "lo": -127, "hi": 127}
    made = helper.make_node(
        "DotProductAttention",
        inputs,
        list(node.output),
        node.name,
        domain=node.domain,
        **attributes,
    )
    node.CopyFrom(made)
