"""A student's graph as a list of calls of the C kernels, for one sentence of n tokens."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from inhibi.engine.errors import InputError
from inhibi.engine.metadata import Metadata
from inhibi.export.c import parameters
from inhibi.export.c.arena import Buffer, plan
from inhibi.export.c.arrays import identifier
from inhibi.export.c.parameters import Parameters
from inhibi.export.read import Initializers

FULL = {"lo": -127, "hi": 127}


@dataclass(frozen=True)
class Node:
    """Of the graph; its output has its name."""

    operator: str
    name: str
    inputs: tuple[str, ...]
    attributes: Mapping[str, int]


@dataclass(frozen=True)
class Tensor:
    """uint8 [n or 1, width]; `base` is the tensor in whose memory it lies."""

    name: str
    width: int
    tokens: bool  # a row for each token, or one for the sentence
    base: str

    @property
    def shape(self) -> str:
        return f"[{'n' if self.tokens else '1'}, {self.width}]"

    @property
    def rows(self) -> str:
        return "n" if self.tokens else "1"


@dataclass(frozen=True)
class Call:
    """A line of C: what it reads and makes, and the scratch memory it needs, in bytes."""

    comment: str
    code: str
    reads: tuple[str, ...]
    output: Tensor | None  # None: the caller's own
    scratch: int
    parameters: Parameters | None


class Program:
    """The calls of a student's file in order, and where their tensors lie."""

    def __init__(
        self,
        nodes: list[Node],
        values: Initializers,
        metadata: Metadata,
        max_tokens: int,
    ) -> None:
        self.metadata, self.max_tokens = metadata, max_tokens
        self.values = values
        self._tensors: dict[str, Tensor] = {}
        self._products = {node.name: node for node in nodes if node.operator == "MatMulInteger"}
        self.calls: list[Call] = []
        for node in nodes:
            self._take(node)
        self.offsets, self.arena = plan(self._buffers())

    def _take(self, node: Node) -> None:
        if node.operator in ("MatMulInteger", "Slice", "Sub"):
            return  # part of what follows, or said otherwise
        if node.operator == "Gather":
            self._alias(node)
            return
        make = _CALLS.get(node.operator)
        if make is None:
            raise InputError(f"the model has the operator {node.operator}, which export-c lacks")
        if any(node.attributes.get(key, value) != value for key, value in FULL.items()):
            raise InputError(f"{node.name} clamps to another range than export-c knows")
        self.calls.append(make(self, node))

    def _alias(self, node: Node) -> None:
        """A sentence's first token: the first row where the tensor lies."""
        of = self.tensor(node.inputs[0])
        self._tensors[node.name] = Tensor(node.name, of.width, False, of.base)

    def tensor(self, name: str) -> Tensor:
        return self._tensors[name]

    def new(self, name: str, width: int, tokens: bool) -> Tensor:
        self._tensors[name] = Tensor(name, width, tokens, name)
        return self._tensors[name]

    def multiplied(self, node: Node) -> Tensor:
        """What the product before this node reads."""
        return self.tensor(self._products[node.inputs[0]].inputs[0])

    def aliases(self, base: str) -> list[str]:
        """Other tensors in the memory of this one."""
        return [name for name, t in self._tensors.items() if t.base == base and name != base]

    def _buffers(self) -> list[Buffer]:
        """Token types are read by the first call; scratch memory lives for a call."""
        made = {call.output.name: i for i, call in enumerate(self.calls) if call.output}
        last = dict(made)
        for i, call in enumerate(self.calls):
            for name in call.reads:
                last[self.tensor(name).base] = i
        sizes = {n: t.width * (self.max_tokens if t.tokens else 1) for n, t in self._made().items()}
        tensors = [Buffer(name, sizes[name], made[name], last[name]) for name in made]
        scratch = [Buffer(f"scratch {i}", call.scratch, i, i) for i, call in enumerate(self.calls)]
        return [Buffer("types", self.max_tokens, 0, 0), *tensors, *scratch]

    def _made(self) -> dict[str, Tensor]:
        return {name: tensor for name, tensor in self._tensors.items() if tensor.base == name}


def _embeddings(program: Program, node: Node) -> Call:
    found = parameters.embeddings(program.values, node.name, program.max_tokens)
    made = program.new(node.name, program.metadata.hidden, True)
    code = _code("embed_layer_norm", "ids, types, n", found)
    return Call(f"ids [n] -> {made.shape}", code, (), made, 4 * made.width, found)


def _product_call(
    make: Callable[[Initializers, str], Parameters], function: str
) -> Callable[[Program, Node], Call]:
    """A call that multiplies its input by a matrix first. AddLayerNorm reads a residual, too."""

    def call(program: Program, node: Node) -> Call:
        x = program.multiplied(node)
        reads = (x.name, node.inputs[4]) if function == "add_layer_norm" else (x.name,)
        found = make(program.values, node.name)
        outputs = len(found.arrays[f"{identifier(node.name)}_bias"])
        made = program.new(node.name, outputs, x.tokens)
        inputs = ", ".join(map(identifier, reads))
        code = (
            f"{function}({inputs}, {x.rows}, &{found.variable}, {identifier(node.name)}, scratch);"
        )
        comment = f"{x.shape} x [{x.width}, {outputs}] -> {made.shape}"
        return Call(comment, code, reads, made, product_scratch(x.width, outputs), found)

    return call


def _code(function: str, inputs: str, found: Parameters) -> str:
    return f"{function}({inputs}, &{found.variable}, {identifier(found.name)}, scratch);"


def _logits(program: Program, node: Node) -> Call:
    x = program.multiplied(node)
    found = parameters.product(program.values, node.name)
    outputs = len(found.arrays[f"{identifier(node.name)}_bias"])
    code = f"product({identifier(x.name)}, 1, &{found.variable}, logits, scratch);"
    comment = f"{x.shape} x [{x.width}, {outputs}] -> logits [{outputs}]"
    return Call(comment, code, (x.name,), None, product_scratch(x.width, outputs), found)


def _attention(program: Program, node: Node) -> Call:
    qkv, heads = program.tensor(node.inputs[0]), node.attributes["heads"]
    made = program.new(node.name, qkv.width // 3, True)
    d = made.width // heads
    if node.operator == "InhibitorAttention":
        flags = node.attributes["centred"], node.attributes["signed"]
        found = parameters.inhibitor(program.values, node.name, heads, flags, program.max_tokens)
        function, scratch = "inhibitor_attention", inhibitor_scratch(program.max_tokens, d)
    else:
        found = parameters.dot_product(program.values, node.name, heads)
        function, scratch = "dot_product_attention", dot_product_scratch(program.max_tokens, d)
    code = _code(function, f"{identifier(qkv.name)}, n", found)
    comment = f"{qkv.shape} -> {made.shape}, {heads} heads of {d}"
    return Call(comment, code, (qkv.name,), made, scratch, found)


def _mean_pool(program: Program, node: Node) -> Call:
    x, found = program.tensor(node.inputs[0]), parameters.mean_pool(program.values, node.name)
    code = f"mean_pool({identifier(x.name)}, n, {x.width}, &{found.variable}, (uint8_t*)vector);"
    code += _values("(uint8_t)vector[k]", x.width)
    return Call(f"{x.shape} -> vector [{x.width}]", code, (x.name,), None, 0, found)


def _identity(program: Program, node: Node) -> Call:
    x = program.tensor(node.inputs[0])
    code = _values(f"{identifier(x.name)}[k]", x.width).lstrip()
    return Call(f"{x.shape} -> vector [{x.width}]", code, (x.name,), None, 0, None)


def _values(byte: str, width: int) -> str:
    """A loop that takes the zero point away."""
    return f"\n  for (size_t k = 0; k < {width}; ++k) vector[k] = (int8_t)({byte} - ZERO_POINT);"


_CALLS: dict[str, Callable[[Program, Node], Call]] = {
    "EmbedLayerNorm": _embeddings,
    "Requantize": _product_call(parameters.linear, "requantize"),
    "RequantizeLookup": _product_call(parameters.lookup, "requantize_lookup"),
    "AddLayerNorm": _product_call(parameters.norm_linear, "add_layer_norm"),
    "InhibitorAttention": _attention,
    "DotProductAttention": _attention,
    "MeanPool": _mean_pool,
    "Identity": _identity,
    "Add": _logits,
}


# As kernels.h has them.
def product_scratch(inputs: int, outputs: int) -> int:
    return 8 * outputs + 4 * _up(inputs, 4)


def inhibitor_scratch(n: int, d: int) -> int:
    return 3 * _up(n, 16) * _up(d, 16) + 5 * _up(n, 16) + 14 * _up(d, 16)


def dot_product_scratch(n: int, d: int) -> int:
    return 4 * _up(n, 16) * _up(d, 16) + 6 * _up(n, 16) + 14 * _up(d, 16)


def _up(x: int, multiple: int) -> int:
    return -(-x // multiple) * multiple


def read_nodes(model: Any) -> list[Node]:
    """The nodes of an onnx.ModelProto, in order."""
    return [
        Node(
            node.op_type,
            node.name,
            tuple(node.input),
            {attribute.name: attribute.i for attribute in node.attribute},
        )
        for node in model.graph.node
    ]
