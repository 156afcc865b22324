"""How fast inhibi is beside the same model on other runtimes, on this machine.

    pip install -e '.[bench]'
    python -m benchmarks.speed --teacher runs/sst2/teacher --data-dir DIR     measure, write, report
    python -m benchmarks.speed --quick                                        two minutes, prints
    python -m benchmarks.speed --report                                       docs from the results

First every model's answers are checked: ours equal the NumPy engine's bit for bit, the others are
close to torch's; a wrong one stops the run. Then they are measured in turns in one process, with
the same number of threads and each at its best settings, which the report lists. Only cold starts
and the attention operator with AVX2 forced run in processes of their own, because they must.
Without --teacher the peers get random weights of the student's shape, without data random ids:
times are as good, accuracies are left out. OpenVINO is measured where openvino and nncf are
installed.

The results go to benchmarks/results/speed.json and from there to docs/SPEED.md and docs/speed.svg.
Let nothing else run meanwhile.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.measure import PARTS, Wanted, measure
from benchmarks.plot import plot
from benchmarks.report import report
from inhibi.engine.errors import InputError, command
from inhibi.engine.model import packaged

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "speed.json"
PAGE = ROOT / "docs" / "SPEED.md"
PLOT = ROOT / "docs" / "speed.svg"


@command
def main(argv: list[str] | None = None) -> None:
    """Run `python -m benchmarks.speed`."""
    chosen = _options(argv)
    if chosen.report:
        _write_pages(_read(chosen.output))
        return
    wanted = Wanted(
        chosen.model or packaged(), chosen.teacher, chosen.data_dir, chosen.only, chosen.quick
    )
    with _folder(chosen.work) as folder:
        results = measure(wanted, folder)
    if chosen.quick or set(chosen.only) != set(PARTS):
        print(report(results))
        return
    chosen.output.write_text(json.dumps(rounded(results), indent=1) + "\n")
    _write_pages(_read(chosen.output))


def rounded(results: dict[str, Any]) -> dict[str, Any]:
    """Floats with 5 digits: more would be noise."""
    return json.loads(json.dumps(results), parse_float=lambda text: float(f"{float(text):.5g}"))


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} has no results ({error}): run python -m benchmarks.speed"
        ) from error


def _write_pages(results: dict[str, Any]) -> None:
    PAGE.write_text(report(results))
    plot(results, PLOT)


@contextmanager
def _folder(work: Path | None) -> Iterator[Path]:
    """The given folder, whose models are used again, or one for this run."""
    if work:
        work.mkdir(parents=True, exist_ok=True)
        yield work
    else:
        with tempfile.TemporaryDirectory() as made:
            yield Path(made)


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.speed",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--teacher", type=Path, metavar="DIR", help="the student's float teacher, a checkpoint")
    add("--model", type=Path, metavar="FILE", help="a student (default: the packaged one)")
    add("--data-dir", metavar="DIR", help="folder of GLUE (default: INHIBI_DATA)")
    add("--work", type=Path, metavar="DIR", help="keep the peers' files here and use them again")
    add("--output", type=Path, default=RESULTS, metavar="FILE", help="the results, JSON")
    add("--only", nargs="+", choices=PARTS, default=PARTS, help="measure these and print")
    add("--quick", action="store_true", help="few rounds, sizes and sentences; prints")
    add("--report", action="store_true", help="write the documents from the results")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
