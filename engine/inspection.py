"""`inhibi inspect`: what a student file is, from the file alone."""

import hashlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from inhibi.engine.catalog import find
from inhibi.engine.cli import Parser
from inhibi.engine.errors import command
from inhibi.engine.metadata import FORMAT_VERSION, Metadata
from inhibi.engine.model import packaged
from inhibi.engine.student_file import read

if TYPE_CHECKING:
    import onnx

EXAMPLES = """\
examples:
  inhibi inspect
  inhibi inspect student.onnx --json
"""

SHAPE = ("family", "attention", "layers", "hidden", "heads", "intermediate", "vocabulary")
RANGE = ("max_tokens", "token_types", "centred", "signed", "n0")


@command
def main(argv: list[str] | None = None) -> None:
    """Run `inhibi inspect`."""
    parser = Parser("inhibi inspect", "Say what a student file is, from the file alone.", EXAMPLES)
    parser.add_argument("file", nargs="?", help="a student file, or a name (default: sst2)")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    chosen = parser.parse_args(argv)
    found = inspect(find(chosen.file) if chosen.file else packaged())
    if chosen.json:
        print(json.dumps(found))
    else:
        _show(found)


def inspect(path: Path) -> dict[str, Any]:
    """Architecture, labels, sizes in bytes, accumulator bounds and provenance; each layer's
    operators, parameters and the bits that its products' sums need. Raises `InputError`."""
    model, metadata = read(path)
    content = path.read_bytes()
    return {
        "file": str(path),
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "format_version": FORMAT_VERSION,
        "architecture": {name: getattr(metadata, name) for name in SHAPE + RANGE},
        "task": metadata.task,
        "texts": metadata.texts,
        "problem": metadata.problem,
        "labels": list(metadata.labels),
        "output_scale": metadata.output_scale,
        "temperature": _temperature(metadata),
        "score": metadata.provenance.get("score"),
        "tokenizer": {"kind": _tokenizer(metadata), "bytes": len(metadata.tokenizer.encode())},
        "parameters": sum(math.prod(t.dims) for t in model.graph.initializer),
        "accumulator_bounds": dict(metadata.accumulator_bounds),
        "nudged_pairs": metadata.nudged_pairs,
        "layers": list(_layers(model.graph, metadata)),
        "provenance": dict(metadata.provenance),
    }


def _temperature(metadata: Metadata) -> float | None:
    """What the logits of a classifier are divided by for its probabilities."""
    scale = metadata.probability_scale
    return metadata.output_scale / float(scale) if scale else None


def _score(score: Any) -> str:
    """`held back: accuracy 0.91` of the score that training gave itself, `{split: {metric: value}}`
    where nobody has written something else there."""
    try:
        found = [
            f"{split}: {name} {value:.4f}"
            for split, values in score.items()
            for name, value in values.items()
        ]
    except (AttributeError, TypeError, ValueError):
        found = []
    return ", ".join(found) or "not recorded (glue-eval measures it)"


def _layers(graph: "onnx.GraphProto", metadata: Metadata) -> Iterator[dict[str, Any]]:
    """In the order in which they run; behind the last layer comes the head."""
    from onnx.helper import tensor_dtype_to_np_dtype

    constants = {tensor.name: tensor for tensor in graph.initializer}
    layers: dict[str, dict[str, Any]] = {}
    counted: set[str] = set()
    for node in graph.node:
        layer = layers.setdefault(
            _layer(node.name), {"operators": {}, "parameters": 0, "bytes": 0, "sum_bits": 0}
        )
        layer["operators"][node.op_type] = layer["operators"].get(node.op_type, 0) + 1
        if node.op_type == "MatMulInteger":
            layer["sum_bits"] = max(layer["sum_bits"], _bits(metadata, node.name))
        for name in set(node.input) & constants.keys() - counted:
            counted.add(name)
            size = math.prod(constants[name].dims)
            layer["parameters"] += size
            layer["bytes"] += size * tensor_dtype_to_np_dtype(constants[name].data_type).itemsize
    for name, layer in layers.items():
        yield {"name": name, **layer}


def _bits(metadata: Metadata, product: str) -> int:
    """Of the signed sums of a matrix product with its bias, proven at export; they have 32."""
    name = product.removesuffix(".product")
    bound = metadata.accumulator_bounds.get("logits" if name == "classifier" else name, 0)
    return bound.bit_length() + 1


def _layer(node: str) -> str:
    """`layer.3` of `layer.3.output`; `embeddings`; `head` for what follows the layers."""
    first, *rest = node.split(".")
    if first == "layer":
        return f"layer.{rest[0]}"
    return "embeddings" if first == "embeddings" else "head"


def _tokenizer(metadata: Metadata) -> str:
    """WordPiece, say."""
    try:
        return str(json.loads(metadata.tokenizer)["model"]["type"])
    except (KeyError, TypeError, ValueError):
        return "unknown"


def _show(found: dict[str, Any]) -> None:
    console = Console(highlight=False, markup=False, emoji=False)
    provenance = found["provenance"]
    lines = {
        "file": f"{found['file']}, {found['bytes'] / 1e6:.1f} MB, format {found['format_version']}",
        "SHA-256": found["sha256"],
        "architecture": _pairs(found["architecture"]),
        "task": f"{found['task']}, {found['problem']}, {found['texts']} text(s) for each answer",
        "labels": ", ".join(found["labels"]),
        "score": _score(found["score"]),
        "temperature": "none" if found["temperature"] is None else f"{found['temperature']:.3f}",
        "tokenizer": f"{found['tokenizer']['kind']}, {found['tokenizer']['bytes'] / 1e3:.0f} kB",
        "integers": f"{found['parameters']:,} parameters, "
        f"{found['nudged_pairs']:,} weight pairs held to the limit",
        "provenance": _pairs({k: v for k, v in provenance.items() if not isinstance(v, dict)}),
    }
    about = Table(box=None, show_header=False, pad_edge=False)
    for name, value in lines.items():
        about.add_row(name, value)
    console.print(about)
    console.print()
    table = Table(box=None, pad_edge=False)
    table.add_column("layer")
    for name in ("parameters", "bytes", "bits of sums (of 32)"):
        table.add_column(name, justify="right")
    table.add_column("operators", overflow="fold")
    for layer in found["layers"]:
        numbers = (
            f"{layer[name]:,}" if layer[name] else ""
            for name in ("parameters", "bytes", "sum_bits")
        )
        table.add_row(layer["name"], *numbers, _pairs(layer["operators"], " x"))
    console.print(table)


def _pairs(values: dict[str, Any], join: str = " ") -> str:
    return ", ".join(f"{name.replace('_', ' ')}{join}{value}" for name, value in values.items())
