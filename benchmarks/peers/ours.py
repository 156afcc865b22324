"""The student, and the same student with integer dot-product attention."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from benchmarks.attention_parameters import dot_product_parameters
from benchmarks.peers.peer import Call, Ids, Peer
from inhibi.engine.metadata import Metadata
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
    del model.functions[:]
    kinds = {node.op_type for node in model.graph.node if node.domain}
    model.functions.extend(functions(sorted(kinds)))
    strings = {entry.key: entry.value for entry in model.metadata_props}
    metadata = replace(Metadata.parse(strings), attention="dot_product", n0=None)
    onnx.helper.set_model_props(model, metadata.strings())
    onnx.save(model, path)


def _replace(graph: onnx.GraphProto, node: onnx.NodeProto) -> None:
    heads = next(a.i for a in node.attribute if a.name == "heads")
    multiplier = next(t for t in graph.initializer if t.name == node.input[5])
    values = dot_product_parameters(heads, multiplier.dims[0] // heads)
    names = [f"{node.name}.{name}" for name in values]
    replaced = set(node.input[2:])
    kept = [tensor for tensor in graph.initializer if tensor.name not in replaced]
    made = [numpy_helper.from_array(x, n) for n, x in zip(names, values.values(), strict=True)]
    del graph.initializer[:]
    graph.initializer.extend([*kept, *made])
    node.CopyFrom(
        helper.make_node(
            "DotProductAttention",
            [*node.input[:2], *names],
            list(node.output),
            node.name,
            domain=node.domain,
            **{"heads": heads, "lo": -127, "hi": 127},
        )
    )
