"""`glue-eval` on a folder of small parquet files that is made here."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet
from tiny import tiny_student

from inhibi.engine import load
from inhibi.engine.errors import InputError
from inhibi.eval.examples import examples
from inhibi.eval.glue import main
from inhibi.eval.labels import label_ids
from inhibi.eval.metrics import metrics
from inhibi.export.graph import build, write
from inhibi.kd.data import TASKS, Task, find_task, load_split
from inhibi.kd.files import sha256

TEXTS = (Path(__file__).parent / "sentences.txt").read_text("utf-8").splitlines()[:40]
OFFICIAL = {
    "cola": {"matthews_correlation"},
    "mrpc": {"accuracy", "f1"},
    "qqp": {"accuracy", "f1"},
    "stsb": {"pearson", "spearmanr"},
}

Evaluate = Callable[..., list[dict[str, Any]]]
Model = Callable[..., Path]


def reference(task: Task, i: int) -> float:
    return (7 * i % 26) / 5 if task.labels is None else (5 * i + i // 3) % len(task.labels)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """DIR/glue/TASK/SPLIT.parquet and DIR/imdb/SPLIT.parquet; IMDB's splits share 3 texts."""
    made = tmp_path_factory.mktemp("data")
    for task in TASKS.values():
        columns: dict[str, list[Any]] = {
            name: TEXTS[i:] + TEXTS[:i] for i, name in enumerate(task.columns)
        }
        columns["label"] = [reference(task, i) for i in range(len(TEXTS))]
        parent = made / "imdb" if task.name == "imdb" else made / "glue" / task.name
        parent.mkdir(parents=True)
        for split in task.validation:
            parquet.write_table(pa.table(columns), parent / f"{split}.parquet")
    train = pa.table({"text": [*TEXTS[4:7], "seen in training"], "label": [0, 1, 0, 1]})
    parquet.write_table(train, made / "imdb" / "train.parquet")
    return made


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Makes a student file with a task's labels, or others in their place; each once."""
    made = tmp_path_factory.mktemp("models")

    @cache
    def make(task: str, *names: str) -> Path:
        labels = names or find_task(task).labels or ("score",)
        problem = "classification" if len(labels) > 1 else "regression"
        path = made / f"{task}{'-'.join(names)}.onnx"
        write(
            build(
                replace(
                    tiny_student(labels=labels, problem=problem),
                    task=task,
                    texts=len(TASKS[task].columns),
                )
            ),
            path,
        )
        return path

    return make


@pytest.fixture
def evaluate(folder: Path, capsys: pytest.CaptureFixture[str]) -> Evaluate:
    """Runs `glue-eval --json` over the folder; its objects."""

    def run(task: str, model: Path, *arguments: str) -> list[dict[str, Any]]:
        main(
            ["--task", task, "--model", str(model), "--data-dir", str(folder), "--json", *arguments]
        )
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return run


@pytest.fixture
def fails(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs `glue-eval` and gives its one line of error."""

    def run(*arguments: str) -> str:
        with pytest.raises(SystemExit) as stopped:
            main(list(arguments))
        assert stopped.value.code == 2
        shown = capsys.readouterr()
        lines = [line for line in shown.err.splitlines() if line.startswith("error: ")]
        assert (shown.out, len(lines)) == ("", 1)
        return lines[0]

    return run


@pytest.mark.parametrize("name", TASKS)
def test_every_task_has_its_official_metrics(name: str, model: Model, evaluate: Evaluate) -> None:
    path = model(name)
    found = evaluate(name, path)
    assert [result["split"] for result in found] == list(TASKS[name].validation)
    for result in found:
        assert result["task"] == name
        assert (result["engine"], result["model"]) == ("ort", str(path))
        assert result["model_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert result["examples"] == len(TEXTS) - (3 if name == "imdb" else 0)
        assert result["seconds"] > 0
        assert set(result["metrics"]) == OFFICIAL.get(name, {"accuracy"})
        assert all(-1 <= value <= 1 for value in result["metrics"].values())


def test_accuracy_is_the_share_of_equal_labels(model: Model, evaluate: Evaluate) -> None:
    path = model("sst2")
    task = find_task("sst2")
    assert task.labels
    answers = load(path).classify(TEXTS)
    right = [a.label == task.labels[int(reference(task, i))] for i, a in enumerate(answers)]
    assert 0 < sum(right) < len(right)
    for engine in ("ort", "numpy"):
        (found,) = evaluate("sst2", path, "--engine", engine)
        assert found["engine"] == engine
        assert found["metrics"] == {"accuracy": pytest.approx(sum(right) / len(right))}


def test_labels_are_matched_by_name_in_any_order(model: Model, evaluate: Evaluate) -> None:
    """The same logits under three cyclic orders of names: each example is right under one of them,
    so the scores sum to 1. Matched by position they would be equal, and 3 times s is not 1."""
    names = ["entailment", "neutral", "contradiction"]
    scores = []
    for i in range(3):
        path = model("mnli", *names[i:], *names[:i])
        (found,) = evaluate("mnli", path, "--split", "validation_matched")
        scores.append(found["metrics"]["accuracy"])
    assert sum(scores) == pytest.approx(1)
    assert len(TEXTS) % 3


def test_a_data_sets_own_label_names_come_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets

    labels = datasets.ClassLabel(names=["positive", "negative"])
    features = datasets.Features({"sentence": datasets.Value("string"), "label": labels})
    rows = datasets.Dataset.from_dict({"sentence": ["a", "b"], "label": [0, 1]}, features=features)
    calls = []

    def load_dataset(*arguments: str, split: str) -> datasets.Dataset:
        calls.append((*arguments, split))
        return rows

    monkeypatch.delenv("INHIBI_DATA", raising=False)
    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    found = examples(find_task("sst2"), "validation", None, None)
    assert found.labels == ("positive", "negative")
    assert found.references == [0, 1]
    assert calls == [("nyu-mll/glue", "sst2", "validation")]


def test_imdb_comes_from_its_own_place_on_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    calls = []

    def load_dataset(*arguments: str, split: str) -> datasets.Dataset:
        calls.append((*arguments, split))
        texts = {"train": ["old", "both"], "test": ["both", "new"]}[split]
        return datasets.Dataset.from_dict({"text": texts, "label": [0, 1]})

    monkeypatch.delenv("INHIBI_DATA", raising=False)
    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    found = examples(find_task("imdb"), "test", None, None)
    assert (found.texts, found.references) == (["new"], [1])
    assert found.notes == ["1 texts that the training split has, dropped"]
    assert calls == [("stanfordnlp/imdb", "test"), ("stanfordnlp/imdb", "train")]


def test_imdb_says_so_where_it_cannot_drop_texts(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "imdb").mkdir()
    (tmp_path / "imdb" / "test.parquet").symlink_to(folder / "imdb" / "test.parquet")
    whole = examples(find_task("imdb"), "test", str(tmp_path), None)
    assert len(whole.texts) == len(TEXTS)
    assert "not dropped" in whole.notes[0]
    assert set(examples(find_task("imdb"), "test", str(folder), None).texts) == {
        *TEXTS[:4],
        *TEXTS[7:],
    }


def test_of_mnli_what_is_at_hand_is_scored(
    folder: Path, model: Model, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "glue" / "mnli").mkdir(parents=True)
    name = "glue/mnli/validation_matched.parquet"
    (tmp_path / name).symlink_to(folder / name)
    path = model("mnli")
    main(["--task", "mnli", "--model", str(path), "--data-dir", str(tmp_path), "--json"])
    shown = capsys.readouterr()
    assert json.loads(shown.out)["split"] == "validation_matched"
    assert "note: no " in shown.err
    assert "validation_mismatched" in shown.err


def test_the_table_and_its_notes(
    model: Model, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = model("mrpc", "LABEL_0", "LABEL_1")
    main(["--task", "mrpc", "--model", str(path), "--data-dir", str(folder), "--limit", "9"])
    shown = capsys.readouterr()
    header, _, row = shown.out.splitlines()[-3:]
    names = ["task", "split", "engine", "examples", "seconds"]
    assert header.split() == [*names, "accuracy", "f1", "calibration_error"]
    assert row.split()[:4] == ["mrpc", "validation", "ort", "9"]
    assert "mrpc: 100%" in shown.err  # the progress bar
    assert (
        "note: the model's labels have no names: they are taken to be not_equivalent, e"
        in shown.err
    )


def test_a_text_that_is_cut_is_counted(model: Model, evaluate: Evaluate) -> None:
    path = model("sst2")
    (found,) = evaluate("sst2", path, "--max-length", "4")
    assert any("longer than what was read" in note for note in found["notes"])


@pytest.mark.parametrize("task", ["sst2", "stsb"])
@pytest.mark.parametrize("label", [None, "positive", float("nan"), 2, -1, 0.5])
def test_labels_that_are_none_are_refused(task: str, label: object, tmp_path: Path) -> None:
    file = tmp_path / "glue" / task / "validation.parquet"
    file.parent.mkdir(parents=True)
    columns = {name: ["a"] for name in find_task(task).columns}
    parquet.write_table(pa.table(columns | {"label": pa.array([label])}), file)
    if task == "stsb" and label in (2, -1, 0.5):
        assert load_split(find_task(task), "validation", str(tmp_path))["label"][0] == label
        return
    with pytest.raises(InputError, match=f"{task} validation has the label .*: labels are "):
        load_split(find_task(task), "validation", str(tmp_path))


def test_a_correlation_of_one_example_is_0(model: Model, evaluate: Evaluate) -> None:
    (found,) = evaluate("stsb", model("stsb"), "--limit", "1")
    assert found["metrics"] == {"pearson": 0.0, "spearmanr": 0.0}


def test_mistakes_are_one_line(
    model: Model, tmp_path: Path, folder: Path, fails: Callable[..., str]
) -> None:
    def said(task: str, path: Path | str, *arguments: str) -> str:
        return fails("--task", task, "--model", str(path), "--data-dir", str(folder), *arguments)

    sst2 = model("sst2")
    assert "unknown task 'sst3': choose one of cola" in said("sst3", sst2)
    assert "no split 'test'" in said("sst2", sst2, "--split", "test")
    assert "lacks the split train of sst2" in said("sst2", sst2, "--split", "train")
    assert "no data folder" in said("sst2", sst2, "--data-dir", str(tmp_path / "none"))
    assert "none.onnx" in said("sst2", tmp_path / "none.onnx")
    assert "are not the task's" in said("cola", sst2)
    assert "a score (regression)" in said("stsb", sst2)
    assert "labels, not a score" in said("rte", model("stsb"))
    assert "from 1 up" in said("sst2", sst2, "--limit", "0")
    assert "runs on torch" in said("sst2", tmp_path, "--engine", "ort")
    # A mistake behind the start of the progress bar stands on a line of its own.
    assert "tuple of two strings" in said("sst2", model("mrpc", "negative", "positive"))


def test_damaged_data_is_one_line(model: Model, tmp_path: Path, fails: Callable[..., str]) -> None:
    file = tmp_path / "glue" / "sst2" / "validation.parquet"
    file.parent.mkdir(parents=True)
    arguments = ("--task", "sst2", "--model", str(model("sst2")), "--data-dir", str(tmp_path))
    parquet.write_table(pa.table({"text": ["a"], "label": [1]}), file)
    assert "no column sentence" in fails(*arguments)
    empty = pa.schema([("sentence", pa.string()), ("label", pa.int64())]).empty_table()
    parquet.write_table(empty, file)
    line = fails(*arguments)
    assert line.startswith(f"error: {file} cannot be read: it is empty")
    file.write_bytes(b"no parquet")
    assert "validation.parquet cannot be read" in fails(*arguments)


@pytest.mark.parametrize(
    ("package", "extra"), [("sklearn", "scikit-learn"), ("scipy", "scikit-learn"), ("tqdm", "tqdm")]
)
def test_a_missing_extra_is_named(
    package: str, extra: str, model: Model, folder: Path, fails: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    for module in ("inhibi.eval.score", "inhibi.eval.metrics"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    said = fails("--task", "sst2", "--model", str(model("sst2")), "--data-dir", str(folder))
    assert f"needs the package {extra}: install it with pip install 'inhibi[eval]'" in said


def test_metrics_of_known_answers() -> None:
    references, predictions = [1, 0, 1, 1, 0, 0, 1, 0], [1, 1, 1, 0, 0, 0, 1, 1]
    assert metrics("sst2", predictions, references) == {"accuracy": 0.625}
    # 3 true positives, 2 false positives, 1 false negative, 2 true negatives
    found = metrics("mrpc", predictions, references)
    assert found == {"accuracy": 0.625, "f1": pytest.approx(2 * 3 / (2 * 3 + 2 + 1))}
    expected = (3 * 2 - 2 * 1) / (5 * 4 * 4 * 3) ** 0.5
    found = metrics("cola", predictions, references)
    assert found == {"matthews_correlation": pytest.approx(expected)}
    found = metrics("stsb", [1.0, 2.0, 4.0], [0.0, 1.0, 5.0])
    assert found["spearmanr"] == pytest.approx(1)
    assert found["pearson"] == pytest.approx(8 / (14 / 3 * 14) ** 0.5)


def test_metrics_of_constant_answers_are_numbers() -> None:
    assert metrics("stsb", [2.0, 2.0, 2.0], [1.0, 2.0, 3.0]) == {"pearson": 0.0, "spearmanr": 0.0}
    assert metrics("cola", [1, 1, 1], [0, 1, 1]) == {"matthews_correlation": 0.0}
    assert metrics("mrpc", [0, 0], [1, 1]) == {"accuracy": 0.0, "f1": 0.0}


def test_label_names() -> None:
    task = ("entailment", "not_entailment")
    assert label_ids(["Not entailment", "entailment"], task) == (
        {"Not entailment": 1, "entailment": 0},
        "",
    )
    assert label_ids(["positive", "negative"], ("neg", "pos"))[0] == {"positive": 1, "negative": 0}
    numbered, note = label_ids(["LABEL_0", "LABEL_1"], task)
    assert numbered == {"LABEL_0": 0, "LABEL_1": 1}
    assert "entailment, not_entailment" in note
    for wrong in (["LABEL_1", "LABEL_0"], ["entailment", "other"], ["LABEL_0"], ["entailment"] * 2):
        with pytest.raises(InputError, match="are not the task's"):
            label_ids(wrong, task)


def test_a_model_by_name(model: Model, evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch) -> None:
    path = model("sst2")
    monkeypatch.setattr("inhibi.engine.hub.fetch", {"acme/student": path}.__getitem__)
    [named], [found] = evaluate("sst2", Path("acme/student")), evaluate("sst2", path)
    assert named | {"seconds": 0} == found | {"seconds": 0}


def test_a_checkpoints_hash_is_that_of_its_weights(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    (tmp_path / "config.json").write_text("{}", "utf-8")
    assert sha256(tmp_path) == hashlib.sha256(b"weights").hexdigest()


CHECKPOINT = """
import sys
from tokenizers import Tokenizer
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast
from tiny import VOCABULARY, tokenizer_json

config = BertConfig(
    vocab_size=len(VOCABULARY), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
    intermediate_size=16, max_position_embeddings=64,
    id2label={0: "positive", 1: "negative"}, label2id={"positive": 0, "negative": 1},
)
BertForSequenceClassification(config).save_pretrained(sys.argv[1])
PreTrainedTokenizerFast(
    tokenizer_object=Tokenizer.from_str(tokenizer_json()), pad_token="[PAD]",
    cls_token="[CLS]", sep_token="[SEP]", unk_token="[UNK]", mask_token="[MASK]",
).save_pretrained(sys.argv[1])
from inhibi.eval.glue import main
main(["--task", "sst2", "--json", "--model", sys.argv[1], "--data-dir", sys.argv[2]])
main(["--task", "imdb", "--json", "--model", sys.argv[1], "--data-dir", sys.argv[2]])
main(["--task", "sst2", "--json", "--model", sys.argv[2], "--data-dir", sys.argv[2]])
"""


@pytest.mark.slow
def test_a_float_checkpoint_is_scored_by_the_same_command(tmp_path: Path, folder: Path) -> None:
    """A process of its own, since torch must not be loaded beside the other tests."""
    made = tmp_path / "checkpoint"
    ran = subprocess.run(
        [sys.executable, "-c", CHECKPOINT, str(made), str(folder)],
        capture_output=True, text=True, timeout=300, check=False, cwd=Path(__file__).parent,
    )  # fmt: skip
    assert ran.returncode == 2, ran.stderr
    assert ran.stderr.splitlines()[-1] == f"error: {folder} is no checkpoint: it has no config.json"
    found = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [result["examples"] for result in found] == [len(TEXTS), len(TEXTS) - 3]
    assert found[0]["engine"] == "torch"
    assert found[0]["model_sha256"] == sha256(made)
    assert 0 <= found[0]["metrics"]["accuracy"] <= 1


@pytest.mark.data
@pytest.mark.parametrize("name", ["cola", "mnli", "mrpc", "qnli", "rte", "sst2", "stsb", "wnli"])
def test_real_examples_are_scored_alike_by_both_engines(
    name: str, data_dir: str, model: Model, capsys: pytest.CaptureFixture[str]
) -> None:
    path = model(name)
    scores = []
    for engine in ("ort", "numpy"):
        main(["--task", name, "--model", str(path), "--engine", engine, "--json",
              "--data-dir", data_dir, "--limit", "50"])  # fmt: skip
        scores.append(json.loads(capsys.readouterr().out.splitlines()[0])["metrics"])
    assert scores[0] == scores[1]


@pytest.mark.data
def test_imdbs_shared_texts_are_dropped(data_dir: str) -> None:
    found = examples(find_task("imdb"), "test", data_dir, None)
    (note,) = found.notes
    dropped = int(note.split()[0])
    assert dropped >= 52
    assert len(found.texts) == 25_000 - dropped
