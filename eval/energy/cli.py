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
  energy-report --memory 256KB --html energy.html --csv energy.csv
  energy-report --model student.onnx --tokens 32 --json > energy.json

The figures are a model (operations and bytes, counted from the file, times published energies),
not a measurement. The file is compared with the same transformer with integer dot-product
attention of the same bits, then with floats. A technology can be your own JSON file, of the form
of eval/energy/tables/45nm.json. The method: docs/ENERGY.md.
"""


@command
def main(argv: list[str] | None = None) -> None:
    """Run `energy-report`."""
    options = _options(argv)
    from inhibi.engine.model import packaged
    from inhibi.eval.energy import memory
    from inhibi.eval.energy.comparison import compare

    path = Path(options.model) if options.model else packaged()
    found = compare(path, options.tokens, options.technology, memory.parse(options.memory))
    if options.csv:
        from inhibi.eval.energy.spreadsheet import rows, write

        write(rows(found), options.csv)
    if options.json:
        print(json.dumps(found))
        return
    from inhibi.eval.energy.text import show

    show(found, options.details)


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
        "--memory",
        default="dram",
        metavar="WHERE",
        help="dram: weights come from DRAM, once for the sentence; on-chip: everything in 1 MB of "
        "SRAM; a size such as 64KB: what fits into it (default: dram)",
    )
    add("--details", action="store_true", help="also by layer, operation, bytes and figure")
    add("--json", action="store_true", help="one JSON object with every node's counts")
    add("--csv", type=Path, metavar="FILE", help="also every node's counts and energies, as rows")
    return parser.parse_args(argv)
