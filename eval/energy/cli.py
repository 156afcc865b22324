"""`energy-report`: operations, bytes and modelled energy of a student file."""

import json
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inhibi.engine.cli import Parser
from inhibi.engine.errors import command

if TYPE_CHECKING:
    from inhibi.eval.energy.memory import Memory

EXAMPLES = """\
examples:
  energy-report
  energy-report --tokens 128 --technology 45nm --details
  energy-report --memory 256KB --html energy.html --csv energy.csv
  energy-report --task sst2 --results benchmarks/results
  energy-report --measure --peer fp32.onnx
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
    from inhibi.engine import files
    from inhibi.engine.catalog import find
    from inhibi.engine.model import packaged
    from inhibi.eval.energy import memory
    from inhibi.eval.energy.comparison import compare

    written = _writers(options)
    path = find(options.model) if options.model else packaged()
    where = memory.parse(options.memory)
    found = compare(path, options.tokens, options.technology, where)
    if options.task:
        found["dataset"] = _on_task(path, options, where)
    if options.measure:
        from inhibi.eval.energy.measured import measure

        found["measured"] = measure(path, options.tokens, options.peer)
    for file, content in written.items():
        files.write(file, content(found).encode())
    if options.json:
        print(json.dumps(found))
        return
    from inhibi.eval.energy.text import show

    show(found, options.details)


def _writers(options: Namespace) -> dict[Path, Callable[[dict[str, Any]], str]]:
    """What is to be written, by file. Raises `InputError` before any work."""
    from inhibi.engine import files

    made: dict[Path, Callable[[dict[str, Any]], str]] = {}
    if options.csv:
        from inhibi.eval.energy import spreadsheet

        made[options.csv] = lambda found: spreadsheet.text(spreadsheet.rows(found))
    if options.html:
        from inhibi.eval.energy import page

        made[options.html] = page.render
    for file in made:
        files.check_writable(file)
    return made


def _on_task(path: Path, options: Namespace, where: "Memory") -> dict[str, Any]:
    from inhibi.engine.model import load
    from inhibi.eval.energy.comparison import load as load_technologies
    from inhibi.eval.energy.dataset import on_task
    from inhibi.eval.energy.graph import read
    from inhibi.eval.examples import examples
    from inhibi.kd.data import find_task

    task = find_task(options.task)
    rows = examples(task, task.validation[0], options.data_dir, None)
    technologies = load_technologies(options.technology)
    return on_task(read(path), load(path), task, rows, technologies, where, options.results)


def _options(argv: list[str] | None) -> Namespace:
    parser = Parser(
        "energy-report", "Count a student's operations and bytes, estimate its energy.", EXAMPLES
    )
    add = parser.add_argument
    add("--model", metavar="MODEL", help="a student file, or a name (default: sst2)")
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
    add("--html", type=Path, metavar="FILE", help="also a page with charts, complete in one file")
    add("--task", metavar="TASK", help="also on the lengths of a task's validation examples")
    add("--data-dir", metavar="DIR", help="folder of parquet files (default: $INHIBI_DATA)")
    add(
        "--results",
        type=Path,
        metavar="DIR",
        help="with --task: beside the accuracies in DIR/TASK/*.json (benchmarks.run_result)",
    )
    add("--measure", action="store_true", help="also joules measured here (Linux powercap)")
    add(
        "--peer",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="with --measure: a transformer in plain ONNX (input_ids, attention_mask) to measure "
        "in the same run; repeatable",
    )
    options = parser.parse_args(argv)
    parser.check_only_with(options, ("results", "data_dir"), "task")
    parser.check_only_with(options, ("peer",), "measure")
    return options
