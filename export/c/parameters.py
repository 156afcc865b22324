"""Initializers of a student's nodes as the constants that export/c/kernels/kernels.h declares."""

from dataclasses import dataclass, field

import numpy as np

from inhibi.export.c.arrays import array, identifier
from inhibi.export.read import Initializers

WIDER = 7  # bits by which multipliers and shifts grow: kernels.h, Scale


@dataclass
class Parameters:
    """A node's constants: `arrays` by their C names, and the structure that points to them."""

    name: str  # of the node
    kind: str  # the structure's type
    structure: str = ""  # its initializer
    arrays: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def variable(self) -> str:
        return f"{identifier(self.name)}_parameters"

    def add(self, name: str, values: np.ndarray) -> str:
        """The C name of a new array."""
        variable = f"{identifier(self.name)}_{name}"
        self.arrays[variable] = values
        return variable

    def source(self) -> str:
        """Definitions of the arrays and of the structure."""
        arrays = "".join("static " + array(*item) for item in self.arrays.items())
        return f"{arrays}const {self.kind} {self.variable} = {self.structure};\n"


def linear(values: Initializers, name: str) -> Parameters:
    """Of Requantize."""
    made = Parameters(name, "Linear")
    made.structure = _linear(values, made)
    return made


def lookup(values: Initializers, name: str) -> Parameters:
    """Of RequantizeLookup."""
    made = Parameters(name, "LookupLinear")
    inner = _linear(values, made)
    index = values.take(name, "table_index")
    ends = np.flatnonzero(np.append(index[1:] != index[:-1], True)) + 1
    names = (
        made.add("table", values.take(name, "table")),
        str(len(ends)),
        made.add("run_end", ends.astype(np.uint16)),
        made.add("run_table", index[ends - 1]),
    )
    made.structure = f"{{{inner}, {', '.join(names)}}}"
    return made


def norm_linear(values: Initializers, name: str) -> Parameters:
    """Of AddLayerNorm."""
    made = Parameters(name, "NormLinear")
    inner = _linear(values, made)
    times = values.take(name, "residual_multiplier").astype(np.uint8)
    made.structure = f"{{{inner}, {made.add('residual_multiplier', times)}, {_norm(values, made)}}}"
    return made


def product(values: Initializers, name: str) -> Parameters:
    """Of the classifier: a product and its bias."""
    made = Parameters(name, "Product")
    made.structure = _product(values, made, "classifier.product", name)
    return made


def embeddings(values: Initializers, name: str, max_tokens: int) -> Parameters:
    """Of EmbedLayerNorm, with positions for max_tokens alone."""
    made = Parameters(name, "Embeddings")
    word = values.take(name, "word")
    tables = [
        made.add("word", word.ravel()),
        made.add("position", values.take(name, "position")[:max_tokens].ravel()),
        made.add("token_type", values.take(name, "token_type").ravel()),
        made.add("times", values.take(name, "table_multiplier").astype(np.uint16).ravel()),
    ]
    made.structure = f"{{{word.shape[1]}, {', '.join(tables)}, {_norm(values, made)}}}"
    return made


def inhibitor(
    values: Initializers, name: str, heads: int, flags: tuple[int, int], max_tokens: int
) -> Parameters:
    """Of InhibitorAttention; flags: centred and signed."""
    made = Parameters(name, "InhibitorAttention")
    inner = _attention(values, made, heads)
    length = made.add("length", values.take(name, "length")[: max_tokens + 1])
    made.structure = f"{{{inner}, {length}, {flags[0]}, {flags[1]}}}"
    return made


def dot_product(values: Initializers, name: str, heads: int) -> Parameters:
    """Of DotProductAttention."""
    made = Parameters(name, "DotProductAttention")
    inner = _attention(values, made, heads)
    made.structure = f"{{{inner}, {made.add('exponential', values.take(name, 'table'))}}}"
    return made


def mean_pool(values: Initializers, name: str) -> Parameters:
    """Of MeanPool."""
    made = Parameters(name, "Scale")
    made.structure = _scale(values, made)
    return made


def _product(values: Initializers, made: Parameters, node: str, biased: str) -> str:
    weight = values.take(node, "weight")
    names = made.add("weight", weight.T.ravel()), made.add("bias", values.take(biased, "bias"))
    return f"{{{weight.shape[0]}, {weight.shape[1]}, {', '.join(names)}}}"


def _linear(values: Initializers, made: Parameters) -> str:
    inner = _product(values, made, f"{made.name}.product", made.name)
    return f"{{{inner}, {_scale(values, made)}}}"


def _scale(values: Initializers, made: Parameters) -> str:
    multiplier = made.add("multiplier", values.take(made.name, "multiplier") << WIDER)
    shift = made.add("shift", (values.take(made.name, "shift") + WIDER).astype(np.uint8))
    return f"{{{multiplier}, {shift}}}"


def _norm(values: Initializers, made: Parameters) -> str:
    shift = values.take(made.name, "norm_shift").astype(np.int64) + WIDER
    bias = (values.take(made.name, "norm_bias") << WIDER) + (np.int64(1) << (shift - 1))
    names = (
        made.add("norm_weight", values.take(made.name, "weight") << WIDER),
        made.add("norm_bias", bias),
        made.add("norm_shift", shift.astype(np.uint8)),
    )
    return f"{{{', '.join(names)}}}"


def _attention(values: Initializers, made: Parameters, heads: int) -> str:
    names = []
    for name in ("score_multiplier", "score_offset", "score_shift", "multiplier", "shift"):
        value = values.take(made.name, name)
        names.append(made.add(name, value.astype(np.uint8) if "shift" in name else value))
    channels = len(values.take(made.name, "multiplier"))
    return f"{{{channels}, {heads}, {', '.join(names)}}}"
