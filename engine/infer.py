"""`infer`: classify texts with an integer student (or, for comparison, a float checkpoint)."""

import sys
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from inhibi.engine import arguments
from inhibi.engine.answers import Embedding, embed, report, shown
from inhibi.engine.errors import command, say
from inhibi.engine.lines import read

if TYPE_CHECKING:
    from inhibi.engine.checkpoint import Checkpoint
    from inhibi.engine.model import Model, Prediction
    from inhibi.engine.tables import Table, Tally

UNANSWERED = 1  # exit status: a line has no answer, or two engines differ


@command
def main(argv: list[str] | None = None) -> None:
    """Run `infer`; `arguments.EXAMPLES` says what it prints and its exit status."""
    options = arguments.options(argv)
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]  # as the texts come
    run = _look_inside if options.trace or options.diff else _classify
    if options.text_column:
        run = _classify_table
    if status := run(options):
        sys.exit(status)


def _classify(options: Namespace) -> int:
    """Print an answer for each line; UNANSWERED where some line has none."""
    began = time.perf_counter()
    model = _open(options)
    model.tokenizer.length(options.max_length)
    opened = time.perf_counter()
    count = tokens = status = 0
    answer: Callable[..., Sequence[Prediction | Embedding]] = model.classify
    if options.embed:
        answer = partial(embed, model)
    for lines in read(options.text, options.file, options.batch, model.fields):
        texts = [line.text for line in lines if line.text is not None]
        answers = iter(answer(texts, options.max_length, options.batch))
        for line in lines:
            found = None if line.text is None else next(answers)
            report(line, found)
            print(shown(line, found, options.json))
            count, tokens = count + 1, tokens + (found.tokens if found else 0)
            status = status if found else UNANSWERED
        sys.stdout.flush()
    if options.verbose:
        name = f"{options.model or 'packaged student'} on {model.runs_on}"
        times = f"opened in {opened - began:.2f} s, ran {time.perf_counter() - opened:.2f} s"
        say(f"{name}: {count} texts, {tokens} tokens, {times}")
    return status


def _classify_table(options: Namespace) -> int:
    """Write the table with its answers; UNANSWERED where some row has none."""
    from pathlib import Path

    from inhibi.engine.tables import Table

    columns = (options.text_column, options.text_pair_column)
    texts = tuple(filter(None, columns))
    table = Table(Path(options.file), Path(options.out), texts, options.encoding or "utf-8")
    name = options.model or "packaged student"
    if options.ray and options.model:
        options.model = _for_workers(options.model)
    model = _open(options)
    model.tokenizer.length(options.max_length)
    began = time.perf_counter()
    tally = _fill(model, table, options)
    earlier = f", {tally.before:,} before" if tally.before else ""
    say(f"{table.out}: {tally.now:,} rows{earlier}; {tally.empty:,} without a text")
    if options.verbose:
        seconds = time.perf_counter() - began
        say(f"{name} on {model.runs_on}: {seconds:.2f} s")
    return UNANSWERED if tally.empty else 0


def _fill(model: "Model | Checkpoint", table: "Table", options: Namespace) -> "Tally":
    """Answer the rows here or, with --ray, by workers."""
    from inhibi.engine.tables import classify_table

    rest = (table, options.resume, options.max_length)
    if not options.ray:
        return classify_table(model, *rest, options.batch)
    from inhibi.engine.ray_pool import Pool, cluster

    threads = options.threads or 1
    with cluster(options.ray, options.workers, threads) as workers:
        pool = Pool(model, table.columns, options.model, workers, threads)
        return classify_table(pool, *rest, pool.rows(options.batch))


def _for_workers(model: str) -> str:
    """What names the model on other machines: a packaged student's name, as the package may lie
    elsewhere there; else a file's path, so that no worker asks the hub."""
    from inhibi.engine.catalog import find, students

    path = find(model)
    return model if path == students().get(model) else str(path.absolute())


def _look_inside(options: Namespace) -> int:
    """Print --trace's or --diff's answer for each line; UNANSWERED for a bad line or difference."""
    from inhibi.engine.tracing import first_difference, table

    models = [_load(options, engine) for engine in options.diff or (options.engine,)]
    status = 0
    for lines in read(options.text, options.file, options.batch, models[0].fields):
        for line in lines:
            text = line.text
            sentence = None if text is None else models[0].encode([text], options.max_length)[0]
            report(line, sentence)
            if sentence is None:
                status = UNANSWERED
                continue
            traces = [model.session.trace(sentence) for model in models]
            if options.trace:
                print(table(traces[0]), flush=True)
                continue
            difference = first_difference(options.diff, *traces)
            equal = f"all {len(traces[0])} tensors are equal"
            print(f"{line.name}: {difference or equal}", flush=True)
            status = UNANSWERED if difference else status
    return status


def _open(options: Namespace) -> "Model | Checkpoint":
    if options.fp32:
        from inhibi.engine.checkpoint import Checkpoint

        return Checkpoint(options.model)
    return _load(options, options.engine)


def _load(options: Namespace, engine: str) -> "Model":
    from inhibi.engine.model import load

    return load(options.model, engine, options.threads)
