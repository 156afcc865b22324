"""`energy-report`: operations, bytes and modelled energy of a student file."""

import json
from argparse import Namespace
from pathlib import Path

from inhibi.engine.cli import Parser
from inhibi.engine.errors import command

EXAMPLES = """\
examples:
  energy-report
  energy-report --tokens 128 --technology 45nm --details
  energy-report --model student.onnx --tokens 32 --json > energy.json

The figures are a model (operations and bytes, counted from the file, times published energies),
not a measurement. The file is compared with the same transformer with integer dot-product
attention of the same bits, then with fp32. A technology can be your own JSON file, of the form of
eval/tables/45nm.json.
"""


@command
def main(argv: list[str] | None = None) -> None:
    """Run `energy-report`."""
    options = _options(argv)
    from inhibi.engine.model import packaged
    from inhibi.eval.comparison import compare

    path = Path(options.model) if options.model else packaged()
    found = compare(path, options.tokens, options.technology, options.weights)
    if options.json:
        print(json.dumps(found))
        return
    from inhibi.eval.energy_text import text

    print(text(found, options.details))


def _options(argv: list[str] | None) -> Namespace:
    parser = Parser(
        "energy-report", "Count a student's operations and bytes, estimate its energy.", EXAMPLES
    )
    add = parser.add_argument
    add("--model", metavar="FILE", help="a student file (default: the packaged student)")
    add("--tokens", type=int, default=32, metavar="N", help="tokens of the sentence (default: 32)")
    add(
        "--technology",
        nargs="+",
        default=["45nm", "7nm"],
        metavar="NAME",
        help="45nm, 7nm or a JSON file (default: both names)",
    )
    add(
        "--weights",
        choices=("dram", "sram"),
        default="dram",
        help="where weights are read from, once for the sentence (default: dram)",
    )
    add("--details", action="store_true", help="also by layer, operation and bytes")
    add("--json", action="store_true", help="one JSON object with every node's counts")
    return parser.parse_args(argv)
