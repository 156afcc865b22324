"""A Ray cluster of this machine: tables, data sets, workers that die, mistakes."""

import csv
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from tiny import tiny_student

from inhibi.engine import infer, ray_pool
from inhibi.engine.errors import InputError
from inhibi.engine.model import Prediction, load
from inhibi.engine.ray import Classifier
from inhibi.engine.ray_pool import Pool
from inhibi.engine.tables import Table, Tally, classify_table
from inhibi.engine.text import Text
from inhibi.export.graph import build, write

ray = pytest.importorskip("ray", reason="needs the extra [ray]")

WORDS = ["a good film", 'it was "cold", very', "two\nlines of film", "bad", "", "dull plot"]
ROWS = [[str(i), f"{WORDS[i % 6]} {'very ' * (i % 17)}".strip()] for i in range(200)]
INFER = "from inhibi.engine.infer import main; main()"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    with (tmp_path / "in.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["id", "review"], *ROWS])
    return tmp_path / "in.csv"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Of a cluster to which this process is connected. It has room for two workers and for two
    more, because Ray Data's stay until they are collected as garbage."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        ray.init("local", num_cpus=4, include_dashboard=False, log_to_driver=False)
        yield ray.get_runtime_context().gcs_address
        ray.shutdown()


def run(table: Path, out: Path, model: Path, *more: str) -> subprocess.CompletedProcess[str]:
    files = ("--file", str(table), "--out", str(out), "--model", str(model), "--batch", "4")
    command = [sys.executable, "-c", INFER, *files, "--text-column", "review", *more]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


def fill(
    table: Path, out: Path, model: Path, resume: bool = False, worker: type = Classifier
) -> Tally:
    """What `infer --ray` does once it is connected, with workers of another class."""
    own = load(model)
    pool = Pool(own, ["review"], str(model), 2, 1, worker)
    return classify_table(pool, Table(table, out, ("review",)), resume, None, pool.rows(4))


@pytest.fixture
def alone(table: Path, tmp_path: Path, tiny_model: Path) -> tuple[str, bytes]:
    """What one process says, and the table that it writes."""
    ran = run(table, tmp_path / "alone.csv", tiny_model)
    return ran.stderr.replace("alone.csv", "out.csv"), (tmp_path / "alone.csv").read_bytes()


@pytest.mark.slow
def test_a_table_is_the_same_from_two_workers(
    alone: tuple[str, bytes], table: Path, tmp_path: Path, tiny_model: Path
) -> None:
    out = tmp_path / "out.csv"
    ran = run(table, out, tiny_model, "--ray", "local", "--workers", "2")
    assert (ran.returncode, ran.stdout, ran.stderr) == (1, "", alone[0])
    assert out.read_bytes() == alone[1]


@pytest.mark.slow
def test_a_running_cluster_goes_on_with_a_table(
    address: str, alone: tuple[str, bytes], table: Path, tmp_path: Path, tiny_model: Path
) -> None:
    out = tmp_path / "out.csv"
    out.write_bytes(alone[1][: len(alone[1]) // 3])
    ran = run(table, out, tiny_model, "--ray", address, "--workers", "2", "--resume")
    assert ran.returncode == 1, ran.stderr
    assert ran.stdout == ""
    assert re.search(r" rows, [1-9]\d before; 2 without a text$", ran.stderr)
    assert out.read_bytes() == alone[1]


@pytest.mark.slow
def test_a_killed_worker_costs_no_row(
    address: str, alone: tuple[str, bytes], table: Path, tmp_path: Path, tiny_model: Path
) -> None:
    killed = tmp_path / "killed"

    class Mortal(Classifier):
        def classify(self, texts: Sequence[Text], *rest: int | None) -> list[Prediction]:
            if "two\nlines of film very" in texts and not killed.exists():
                killed.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return super().classify(texts, *rest)  # type: ignore[arg-type]

    tally = fill(table, tmp_path / "out.csv", tiny_model, worker=Mortal)
    assert killed.exists()
    assert tally.now == len(ROWS)
    assert (tmp_path / "out.csv").read_bytes() == alone[1]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.data.context")  # on its own defaults
def test_a_data_set_of_parquet(address: str, tmp_path: Path, tiny_model: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    texts = [text or None for _, text in ROWS]
    for part in range(4):
        rows = {"id": list(range(200))[part::4], "review": texts[part::4]}
        parquet.write_table(pyarrow.table(rows), tmp_path / f"{part}.parquet")
    settings = {"text_column": "review", "model": str(tiny_model)}
    made = (
        ray.data.read_parquet(str(tmp_path))
        .repartition(8)
        .map_batches(Classifier, concurrency=2, fn_constructor_kwargs=settings, batch_size=16)
    )
    rows_by_id = sorted(made.take_all(), key=lambda row: row["id"])
    assert [row["id"] for row in rows_by_id] == list(range(200))
    assert [row["review"] for row in rows_by_id] == texts
    answers = iter(load(tiny_model).classify([text for text in texts if text]))
    for row in rows_by_id:
        answer = next(answers) if row["review"] else None
        assert row["label"] == (answer.label if answer else "")
        assert not answer or row["probability"] == answer.probability


@pytest.mark.slow
def test_a_worker_mistake_is_one_line(
    address: str, table: Path, tmp_path: Path, tiny_model: Path
) -> None:
    class Broken(Classifier):
        def classify(self, texts: Sequence[Text], *rest: int | None) -> list[Prediction]:
            if texts:
                raise InputError("this is no text")
            return []

    with pytest.raises(InputError, match=r"^this is no text$"):
        fill(table, tmp_path / "out.csv", tiny_model, worker=Broken)
    with pytest.raises(InputError, match=r"^Ray: .*there is no model file .*none\.onnx:"):
        Pool(load(tiny_model), ["review"], str(tmp_path / "none.onnx"), 1, 1)


@pytest.mark.slow
def test_workers_answer_pairs(address: str, tmp_path: Path) -> None:
    path = tmp_path / "pair.onnx"
    write(build(replace(tiny_student(), task="mrpc", texts=2)), path)
    pairs: list[Text] = [("good", text or "bad") for _, text in ROWS]
    pool = Pool(load(path), ["first", "second"], str(path), 2, 1)
    assert pool.classify(pairs, 20, 64) == load(path).classify(pairs, 20)


def test_workers_are_as_many_as_have_room() -> None:
    nodes = [
        {"Alive": alive, "Resources": {"CPU": cpus}}
        for alive, cpus in ((True, 5.0), (True, 2.0), (True, 1.0), (False, 64.0))
    ]
    assert ray_pool._fitting(None, 1, nodes) == 8
    assert ray_pool._fitting(None, 2, nodes) == 3
    assert ray_pool._fitting(2, 2, nodes) == 2
    for workers, threads, room in ((4, 2, 3), (None, 6, 0)):
        with pytest.raises(InputError, match=f"has room for {room} workers with {threads} threads"):
            ray_pool._fitting(workers, threads, nodes)


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_mistakes_are_one_line(
    table: Path, tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = f"127.0.0.1:{closed_port()}"
    for column, more, said in (
        ("review", ("--ray", nowhere), f"no Ray cluster at {nowhere}: "),
        ("review", ("--ray", "nonsense"), "no Ray cluster at nonsense: "),
        ("review", ("--ray", "local", "--engine", "numpy"), "--ray runs integer students on ort"),
        ("review", ("--workers", "2"), "--workers is of use with --ray only"),
    ):
        out = tmp_path / "out.csv"
        files = ["--file", str(table), "--out", str(out), "--model", str(tiny_model)]
        with pytest.raises(SystemExit) as end:
            infer.main([*files, "--text-column", column, *more])
        shown = capsys.readouterr()
        assert end.value.code == 2
        assert shown.out == ""
        assert said in shown.err
        assert shown.err.count("\n") == 1
        assert not out.exists()


def test_a_worker_error_without_a_message_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failed(ray.exceptions.RayError):
        cause = MemoryError()

    def fail(_: object) -> None:
        raise Failed

    monkeypatch.setattr(ray, "get", fail)
    with pytest.raises(InputError, match=r"^Ray: MemoryError$"):
        ray_pool._get([])


def test_what_the_workers_open(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On another machine the package may lie elsewhere; no worker is to ask the hub."""
    asked = []

    def fetch(name: str) -> Path:
        asked.append(name)
        return tiny_model

    sent = []

    class Opened(Exception):
        pass

    def pool(_: object, columns: object, name: str | None, *rest: object) -> None:
        sent.append(name)
        raise Opened

    monkeypatch.setattr("inhibi.engine.hub.fetch", fetch)
    monkeypatch.setattr("inhibi.engine.catalog.students", lambda: {"mine": tiny_model})
    monkeypatch.setattr("inhibi.engine.model.packaged", lambda: tiny_model)
    monkeypatch.setattr(ray_pool, "cluster", lambda *_: nullcontext(1))
    monkeypatch.setattr(ray_pool, "Pool", pool)
    monkeypatch.chdir(tiny_model.parent)
    files = ["--file", "in.csv", "--out", "out.csv", "--text-column", "review", "--ray", "local"]
    for more in ([], ["mine"], [tiny_model.name], ["someone/something"]):
        with pytest.raises(Opened):
            infer.main([*files, *(f"--model={name}" for name in more)])
    path = str(tiny_model)
    assert sent == [None, "mine", path, path]
    assert asked == ["someone/something"]
