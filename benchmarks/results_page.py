"""docs/RESULTS.md and docs/results.svg from the JSON files of runs, and from nothing else.

    python -m benchmarks.results_page

Runs stand in benchmarks/results/TASK/RECIPE-SEED.json (`python -m benchmarks.run_result`), trials
of the method in benchmarks/results/TASK/trials/ (`python -m benchmarks.trials`), embeddings in
benchmarks/results/embedding.json, others' figures in benchmarks/papers.json.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

from benchmarks.accuracy import Runs, read_runs
from benchmarks.accuracy_floors import FLOORS
from benchmarks.bootstrap import RESAMPLES
from benchmarks.results_average import average
from benchmarks.results_embedding import embeddings
from benchmarks.results_papers import papers
from benchmarks.results_plot import plot
from benchmarks.results_tables import floors, models, provenance, trained
from benchmarks.results_trials import changes, read_trials
from inhibi.engine.errors import command

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
PAPERS = ROOT / "benchmarks" / "papers.json"
PAGE = ROOT / "docs" / "RESULTS.md"
PLOT = ROOT / "docs" / "results.svg"

HEAD = f"""\
# Results

`python -m benchmarks.results_page` writes this page from the JSON files in
[benchmarks/results](../benchmarks/results) and [papers.json](../benchmarks/papers.json), one file a
run; `python -m benchmarks.experiments` trains and scores the runs. Recipes: e0 is the teacher with
its own dot-product attention, the comparator; e1, e2 and best are inhibitors
([docs/TRAINING.md](TRAINING.md)).

* Integers are scored by `glue-eval`'s code from the exported file on ONNX Runtime, never by fake
  quantization. "Calibrated only" is post-training quantization of the float student.
* Scores are means over the seeds, ± the standard deviation.
* "To the teacher" is the difference in points of the task's main metric (F1 for MRPC and QQP) with
  its 95 % interval: a paired bootstrap with {RESAMPLES:,} resamples, each of which draws examples
  with replacement, the same for both models and all seeds, then seeds with replacement
  ([bootstrap.py](../benchmarks/bootstrap.py)). It is taken over the seeds that both have; the
  teacher's row is the mean of all of its own. The floor "surely below" takes the interval's better
  end: a wide interval, of few seeds or examples, proves little and reaches it.
* "As the float student" is the share of predictions equal to those of the run's float student,
  "as its weights in float" to those of the same weights with every quantizer off: training with
  quantization moves the weights, rounding alone is the difference to the latter.
* "joined N" is accuracy on texts of about N tokens, validation sentences of one label joined.
* Minutes are those of the model's own stages after the teacher's; calibration is not counted. They
  were taken on shared processors of several kinds, with one or two cores (each file names its
  device), and say how long to wait, not which recipe is faster: steps stand under "Runs".
* SST-2's e1 is aligned and distilled once, by the first seed; all seeds fine-tune that student, and
  its minutes count that student's for each. On other tasks e1 and best start from such a student;
  their minutes are those after it. So the deviations and intervals of both are those of what comes
  after it.
* Four recipes were changed after former versions of them had been scored on validation: SST-2's e0
  (R-Drop came, steps changed), e1 (`scalar_rate`; dropout in fine-tuning, which had none) and best
  (IMDB's sentences, whole sentences, more joined texts, more steps), and glue/best, which had
  fallen short on pairs of sentences. What to change in glue/best was decided on held-back examples
  alone. Results of former versions are deleted (git has them) or marked as former under "Runs".
* SST-2's e2 and best, and the embeddings, were made before gamma, alpha and beta had a rate of
  their own (`scalar_rate`); the other recipes of inhibitors have it, results marked as former not.
* µJ: estimated energy of one validation example, 45 nm, weights read from DRAM for each
  ([docs/ENERGY.md](ENERGY.md)).
"""

RUNS = """\
## Runs

Versions, the hashes of files of unlabelled texts (`--text`) and every answer stand in the files.
A recipe marked as former has changed since. The first student is E1's distilled one, which was made
more than once, where a run starts from it or, E1's own, fine-tunes it. The last columns compare the
integers with fake quantization of the same weights: equal predictions, and the median difference of
logits over their deviation, of large splits on a part of the examples, evenly spread.
"""


@command
def main(argv: list[str] | None = None) -> None:
    """Run `python -m benchmarks.results_page`."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.results_page",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--results", type=Path, default=RESULTS, metavar="DIR", help="the JSON files")
    add("--page", type=Path, default=PAGE, metavar="FILE", help="the page to write")
    add("--plot", type=Path, default=PLOT, metavar="FILE", help="the plot to write")
    chosen = parser.parse_args(argv)
    chosen.page.write_text(page(chosen.results))
    plot(read_runs(chosen.results), chosen.plot)


def page(folder: Path) -> str:
    """The whole page in Markdown, from a folder of results."""
    results = read_runs(folder)
    sections = [
        HEAD,
        "![scores by recipe](results.svg)" if results else "There are no runs yet.",
        average(results),
        *(_task(task, runs) for task, runs in results.items()),
        _embeddings(folder / "embedding.json"),
        changes(read_trials(folder)),
        papers(json.loads(PAPERS.read_text("utf-8")), results),
        _provenance(results),
    ]
    return "\n\n".join(section.strip("\n") for section in sections if section) + "\n"


def _task(task: str, runs: Runs) -> str:
    run = next(iter(runs.values()))[0]
    sizes = (f"{name}: {len(packed.split()):,}" for name, packed in run["references"].items())
    cuts = sorted({run["max_length"] for some in runs.values() for run in some} - {None})
    cut = f" Texts are cut at {' or '.join(map(str, cuts))} tokens." if cuts else ""
    title = f"## {task}\n\nExamples: {', '.join(sizes)}.{cut}"
    targets = floors(FLOORS.get(task, ()), runs)
    return "\n\n".join(part for part in (title, models(runs), trained(runs), targets) if part)


def _embeddings(file: Path) -> str:
    return embeddings(json.loads(file.read_text("utf-8"))) if file.is_file() else ""


def _provenance(results: Mapping[str, Runs]) -> str:
    if not results:
        return ""
    tables = (f"### {task}\n\n{provenance(runs)}" for task, runs in results.items())
    return "\n\n".join([RUNS.strip(), *tables])


if __name__ == "__main__":
    main()
