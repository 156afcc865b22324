"""The native kernels through their C interface, engine/native/kernels.h, by ctypes."""

import ctypes
from collections.abc import Callable, Iterable
from ctypes import CDLL, POINTER, Structure, byref, c_char_p, c_int, c_int32, c_size_t, c_void_p
from pathlib import Path
from typing import Any

import numpy as np
from case import Array, Case
from placed import FILL, Placed

Map = Callable[[Callable[[int], int], Iterable[int]], Iterable[int]]


def _structure(name: str, pointers: str, **rest: Any) -> Any:
    """A ctypes structure of pointers, then of the rest's fields."""
    fields = [(field, c_void_p) for field in pointers.split()]
    return type(name, (Structure,), {"_fields_": [*fields, *rest.items()]})


Requantize = _structure(
    "Requantize",
    "acc bias multiplier shift table",
    rows=c_size_t,
    columns=c_size_t,
    acc_stride=c_size_t,
    stride=c_size_t,
    lo=c_int32,
    hi=c_int32,
    out=c_void_p,
)
Norm = _structure("Norm", "weight shift bias", lo=c_int32, hi=c_int32)
SIZES = {"norm": Norm, "rows": c_size_t, "channels": c_size_t, "out": c_void_p}
AddLayerNorm = _structure(
    "AddLayerNorm", "acc bias multiplier shift residual residual_multiplier", **SIZES
)
EmbedLayerNorm = _structure(
    "EmbedLayerNorm",
    "input_ids position_ids token_type_ids word position token_type table_multiplier",
    **SIZES,
)


class Attention(Structure):
    _fields_ = (
        *((name, c_void_p) for name in ("qkv", "offsets")),
        *((name, c_size_t) for name in ("sentences", "longest", "hidden", "heads")),
        *((name, c_void_p) for name in ("score_multiplier", "score_offset", "score_shift")),
        *((name, c_void_p) for name in ("multiplier", "shift")),
        *((name, c_int32) for name in ("lo", "hi")),
        *((name, c_void_p) for name in ("out", "length")),
        *((name, c_int32) for name in ("centred", "is_signed")),
        ("table", c_void_p),
    )


class Inhibitor(Structure):
    """InhibiInhibitorKernels, as far as they are called one by one."""

    _fields_ = (
        (
            "pack_keys",
            ctypes.CFUNCTYPE(None, c_void_p, c_size_t, c_size_t, c_size_t, c_void_p),
        ),
        ("pack_values", c_void_p),
        (
            "distances",
            ctypes.CFUNCTYPE(None, c_void_p, c_void_p, c_size_t, c_size_t, c_void_p, c_void_p),
        ),
    )


class Isa(Structure):
    """InhibiKernels: one instruction set's."""

    _fields_ = (
        ("name", c_char_p),
        ("requantize", ctypes.CFUNCTYPE(None, POINTER(Requantize))),
        ("add_layer_norm", ctypes.CFUNCTYPE(None, POINTER(AddLayerNorm))),
        ("embed_layer_norm", ctypes.CFUNCTYPE(None, POINTER(EmbedLayerNorm))),
        ("inhibitor", c_void_p),
        ("dot_product", c_void_p),
    )


class Kernels:
    """A built library."""

    def __init__(self, path: Path) -> None:
        self._library = CDLL(str(path))
        self._library.inhibi_kernels.argtypes = [c_char_p]
        self._library.inhibi_kernels.restype = POINTER(Isa)
        self._library.inhibi_isas.restype = c_char_p
        self._library.inhibi_attention_tasks.argtypes = [POINTER(Attention)]
        self._library.inhibi_attention_tasks.restype = c_size_t
        self._attentions = {
            "InhibitorAttention": self._library.inhibi_inhibitor_attention,
            "DotProductAttention": self._library.inhibi_dot_product_attention,
        }
        for function in self._attentions.values():
            function.argtypes = [POINTER(Isa), POINTER(Attention), c_size_t]
            function.restype = c_int
        self.isas = self._library.inhibi_isas().decode().split()

    def isa(self, name: str | None) -> Any:
        """The instruction set's InhibiKernels, or None where it is not offered."""
        found = self._library.inhibi_kernels(name and name.encode())
        return found.contents if found else None

    def run(self, isa: str, case: Case, skew: int = 0, gap: int = 0, map: Map = map) -> Array:
        """The operator's result [N, .]. All arrays are copied to addresses `skew` items past a
        multiple of 64; the output's rows lie `gap` bytes apart, where the operator allows it; `map`
        runs the tasks of attention. Fails where anything but the output has changed."""
        kernels = self.isa(isa)
        inputs = [Placed(x, skew) for x in case.inputs]
        width = columns(case)
        out = Placed(np.full((rows(case), width + gap), FILL, np.uint8), skew)
        arguments = _ARGUMENTS[case.operator](case, [x.pointer for x in inputs], out)
        if case.operator in self._attentions:
            self._run_tasks(case.operator, byref(kernels), byref(arguments), map)
        else:
            getattr(kernels, _ROWS[case.operator])(byref(arguments))
        assert out.intact(), "wrote outside its output"
        assert (out.array[:, width:] == FILL).all(), "wrote between its output's rows"
        assert all(x.unchanged() for x in inputs), "changed an input"
        return out.array[:, :width]

    def distances(self, isa: str, queries: Array, keys: Array) -> tuple[Array, Array]:
        """The inhibitor's scores int32 [8, n] of queries uint8 [8, d] and keys uint8 [n, d], and
        their sums int64 [8]; n is a multiple of 16."""
        table = ctypes.cast(self.isa(isa).inhibitor, POINTER(Inhibitor)).contents
        (n, d), blocks = keys.shape, len(keys) // 16
        packed = np.empty(n * (d + 4), np.uint8)
        scores, sums = np.empty((8, n), np.int32), np.empty(8, np.int64)
        table.pack_keys(keys.ctypes.data, d, n, d, packed.ctypes.data)
        table.distances(
            queries.ctypes.data, packed.ctypes.data, d, blocks, scores.ctypes.data, sums.ctypes.data
        )
        return scores, sums

    def _run_tasks(self, operator: str, kernels: Any, arguments: Any, map: Map) -> None:
        tasks = range(self._library.inhibi_attention_tasks(arguments))
        statuses = map(lambda task: self._attentions[operator](kernels, arguments, task), tasks)
        assert set(statuses) == {0}


def rows(case: Case) -> int:
    return len(case.inputs[0])


def columns(case: Case) -> int:
    """Of the result."""
    if case.operator == "EmbedLayerNorm":
        return case.inputs[3].shape[1]
    return case.inputs[0].shape[1] // (3 if "Attention" in case.operator else 1)


def padded(case: Case) -> Case:
    """The same for kernels of attention, whose head widths are multiples of 8: more channels, of
    zero points, whose results are zero points, too."""
    if "Attention" not in case.operator or not (more := -head_width(case) % 8):
        return case
    heads, d = case.attributes["heads"], head_width(case)
    qkv, offsets, *scores, multiplier, shift, last = case.inputs
    wide = [((0, 0), (0, more))]
    qkv = np.pad(qkv.reshape(-1, d), *wide, constant_values=128).reshape(len(qkv), -1)
    multiplier = np.pad(multiplier.reshape(heads, d), *wide).reshape(-1)
    shift = np.pad(shift.reshape(heads, d), *wide, constant_values=1).reshape(-1)
    inputs = (qkv, offsets, *scores, multiplier, shift, last)
    return Case(case.operator, f"{case.name}-padded", inputs, case.attributes)


def unpadded(result: Array, case: Case) -> Array:
    """The case's own columns of its padded result."""
    if "Attention" not in case.operator:
        return result
    d = head_width(case)
    return result.reshape(len(result), -1, d + -d % 8)[..., :d].reshape(len(result), -1)


def head_width(case: Case) -> int:
    return columns(case) // case.attributes["heads"]


def _limits(case: Case) -> tuple[int, int]:
    return case.attributes["lo"], case.attributes["hi"]


def _requantize(case: Case, pointers: list[int], out: Placed) -> Structure:
    acc, bias, multiplier, shift, table = [*pointers, None][:5]  # its first table alone
    shape = (rows(case), columns(case), columns(case), out.array.shape[1])
    return Requantize(acc, bias, multiplier, shift, table, *shape, *_limits(case), out.pointer)


def _layer_norm(structure: Any) -> Callable[[Case, list[int], Placed], Structure]:
    def arguments(case: Case, pointers: list[int], out: Placed) -> Structure:
        *rest, weight, bias, shift = pointers
        norm = Norm(weight, shift, bias, *_limits(case))
        return structure(*rest, norm, rows(case), columns(case), out.pointer)

    return arguments


def _attention(case: Case, pointers: list[int], out: Placed) -> Structure:
    qkv, offsets, *scores, multiplier, shift, last = pointers
    inhibitor = case.operator == "InhibitorAttention"
    lengths = np.diff(case.inputs[1])
    shape = (len(lengths), int(lengths.max()), columns(case), case.attributes["heads"])
    flags = [case.attributes.get(name, 0) for name in ("centred", "signed")]
    length, table = (last, None) if inhibitor else (None, last)
    return Attention(
        *(qkv, offsets, *shape, *scores, multiplier, shift),
        *(*_limits(case), out.pointer, length, *flags, table),
    )


_ROWS = {
    "Requantize": "requantize",
    "RequantizeLookup": "requantize",
    "AddLayerNorm": "add_layer_norm",
    "EmbedLayerNorm": "embed_layer_norm",
}
_ARGUMENTS = {
    "Requantize": _requantize,
    "RequantizeLookup": _requantize,
    "AddLayerNorm": _layer_norm(AddLayerNorm),
    "EmbedLayerNorm": _layer_norm(EmbedLayerNorm),
    "InhibitorAttention": _attention,
    "DotProductAttention": _attention,
}
