"""A function body of standard ONNX operators, written as arithmetic on `Value`s.

Integers only. What a formula may rely on: `//` divides a non-negative number by a positive one
(Div truncates); `>>` floors and takes any int64 below 2^62 in size (BitShift is unsigned); an int
becomes a constant of its partner's type.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from onnx import AttributeProto, FunctionProto, NodeProto, TensorProto, helper, numpy_helper

DOMAIN = "ai.inhibi"
OPSET = 17
BOOL, UINT8, UINT16 = TensorProto.BOOL, TensorProto.UINT8, TensorProto.UINT16
INT8, INT32, INT64 = TensorProto.INT8, TensorProto.INT32, TensorProto.INT64
UINT64 = TensorProto.UINT64


@dataclass(frozen=True, eq=False)
class Value:
    """One tensor of a body: its name and element type."""

    body: "Body"
    name: str
    type: int

    def __add__(self, other: "Value | int") -> "Value":
        return self.body.node("Add", self, other)

    def __sub__(self, other: "Value | int") -> "Value":
        return self.body.node("Sub", self, other)

    def __rsub__(self, other: int) -> "Value":
        return self.body.node("Sub", self.body.constant(other, self.type), self)

    def __mul__(self, other: "Value | int") -> "Value":
        return self.body.node("Mul", self, other)

    def __floordiv__(self, other: "Value | int") -> "Value":
        return self.body.node("Div", self, other)

    def __matmul__(self, other: "Value") -> "Value":
        return self.body.node("MatMul", self, other)

    def __neg__(self) -> "Value":
        return self.body.node("Neg", self)

    def __abs__(self) -> "Value":
        return self.body.node("Abs", self)

    def __lt__(self, other: "Value | int") -> "Value":
        return self.body.node("Less", self, other, type=BOOL)

    def __gt__(self, other: "Value | int") -> "Value":
        return self.body.node("Greater", self, other, type=BOOL)

    def __ge__(self, other: "Value | int") -> "Value":
        return self.body.node("GreaterOrEqual", self, other, type=BOOL)

    __radd__ = __add__
    __rmul__ = __mul__

    def __rlshift__(self, one: int) -> "Value":
        """1 << self."""
        power = self.body.constant(one, UINT64)
        return self.body.node("BitShift", power, self.cast(UINT64), direction="LEFT").cast(INT64)

    def __rshift__(self, shift: "Value | int") -> "Value":
        """floor(self / 2^shift): made positive by 2^62, shifted, and set back by 2^(62 - shift)."""
        if isinstance(shift, int):
            shift = self.body.constant(shift)
        positive = (self + 2**62).cast(UINT64)
        shifted = self.body.node("BitShift", positive, shift.cast(UINT64), direction="RIGHT")
        return shifted.cast(INT64) - (1 << (62 - shift))

    def equals(self, other: "Value") -> "Value":
        return self.body.node("Equal", self, other, type=BOOL)

    def cast(self, type: int) -> "Value":
        return self if type == self.type else self.body.node("Cast", self, to=type, type=type)

    def sum(self, axis: int, keepdims: bool = True) -> "Value":
        axes = self.body.constant([axis])
        return self.body.node("ReduceSum", self, axes, keepdims=int(keepdims))

    def max(self, axis: int) -> "Value":
        return self.body.node("ReduceMax", self, axes=[axis], keepdims=1)

    def take(self, index: "Value | int") -> "Value":
        """Rows of the first axis."""
        if isinstance(index, int):
            index = self.body.constant(index)
        return self.body.node("Gather", self, index, axis=0)

    def rows(self, start: int, end: int) -> "Value":
        """A slice of the first axis."""
        return self.body.node("Slice", self, self.body.constant([start]), self.body.constant([end]))

    def size(self, axis: int) -> "Value":
        """int64 [1]."""
        return self.body.node("Shape", self, start=axis, end=axis + 1, type=INT64)

    def unsqueeze(self, *axes: int) -> "Value":
        return self.body.node("Unsqueeze", self, self.body.constant(axes))

    def transpose(self, *order: int) -> "Value":
        return self.body.node("Transpose", self, perm=order)

    def reshape(self, *shape: "Value | int") -> "Value":
        """0 keeps a dimension, -1 takes the rest, a scalar Value gives one at run time."""
        sizes = [self.body.constant([s]) if isinstance(s, int) else s.unsqueeze(0) for s in shape]
        return self.body.node("Reshape", self, self.body.node("Concat", *sizes, axis=0))


class Body:
    """The nodes of one function, in the order in which its formula is evaluated."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.inputs: list[str] = []
        self.attributes: list[str] = []
        self.nodes: list[NodeProto] = []
        self.constants: dict[tuple[bytes, tuple[int, ...], int], Value] = {}

    def input(self, name: str, type: int) -> Value:
        """The next input."""
        self.inputs.append(name)
        return Value(self, name, type)

    def attribute(self, name: str) -> Value:
        """An integer attribute of the node as an int64 scalar."""
        self.attributes.append(name)
        node = helper.make_node("Constant", [], [name])
        reference = AttributeProto(name="value_int", type=AttributeProto.INT, ref_attr_name=name)
        node.attribute.append(reference)
        self.nodes.append(node)
        return Value(self, name, INT64)

    def constant(self, value: int | Sequence[int], type: int = INT64) -> Value:
        """Written once however often it is used."""
        array = np.array(value, helper.tensor_dtype_to_np_dtype(type))
        key = (array.tobytes(), array.shape, type)
        if key not in self.constants:
            tensor = numpy_helper.from_array(array)
            self.constants[key] = self.node("Constant", value=tensor, type=type)
        return self.constants[key]

    def node(
        self, operator: str, *inputs: Value | int, type: int | None = None, **attributes: object
    ) -> Value:
        """Append a node. Its one output has the first input's type unless `type` says another."""
        first = inputs[0] if inputs else None
        kind = first.type if isinstance(first, Value) else INT64
        values = [self.constant(i, kind) if isinstance(i, int) else i for i in inputs]
        name = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(operator, [v.name for v in values], [name], **attributes)
        )
        return Value(self, name, kind if type is None else type)

    def where(self, condition: Value, yes: Value | int, no: Value | int) -> Value:
        kind = yes.type if isinstance(yes, Value) else no.type if isinstance(no, Value) else INT64
        yes, no = (self.constant(v, kind) if isinstance(v, int) else v for v in (yes, no))
        return self.node("Where", condition, yes, no, type=kind)

    def function(self, result: Value) -> FunctionProto:
        """The function whose output `y` is the last node's."""
        assert self.nodes[-1].output[0] == result.name
        self.nodes[-1].output[0] = "y"
        return helper.make_function(
            DOMAIN,
            self.name,
            self.inputs,
            ["y"],
            self.nodes,
            [helper.make_opsetid("", OPSET)],
            self.attributes,
        )
