"""Sentence embeddings from a teacher's checkpoint to int8 vectors."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from opened import ENGINES, opened
from pyarrow import parquet
from scipy import stats
from tiny import WORDS, sentences, tiny_student
from tiny_run import STAGE
from tiny_teacher import save_data, save_teacher, tiny_bert

from inhibi.engine import load
from inhibi.engine.errors import InputError
from inhibi.engine.infer import main as infer
from inhibi.eval.energy.cli import main as energy_report
from inhibi.eval.glue import main as glue_eval
from inhibi.export.cli import main as export_onnx
from inhibi.export.diagnose import main as diagnose
from inhibi.export.graph import build, write
from inhibi.kd import attention
from inhibi.kd.data import embedding_task
from inhibi.kd.embedding import pooled
from inhibi.kd.held_back import hold_back_texts
from inhibi.kd.predict import load_tokenizer, logits
from inhibi.kd.pretrained import load_pretrained
from inhibi.kd.student import load as load_float
from inhibi.qat.student import load as load_quantized
from inhibi.qat.train import main as qat_train

TEXTS = [" ".join(WORDS[(i * k + k) % len(WORDS)] for k in range(1, 3 + i % 7)) for i in range(60)]
LEARN = f"{STAGE}texts = 50\nsoft = 1.0\ntask = 0.0\n"
RECIPE = (
    f"max_length = 24\ntask_agnostic = true\n[align]\n{STAGE}texts = 50\n"
    f"[distill]\n{LEARN}[qat]\n{LEARN}calibration_batches = 2\n"
)
KINDS: dict[str, dict[str, Any]] = {
    "mean": {"pooling": "mean"},
    "first token": {"pooling": "cls"},
    "dot product": {"pooling": "mean", "attention": "dot_product"},
    "without token types": {"pooling": "mean", "token_types": False},
}


@pytest.mark.parametrize("changes", KINDS.values(), ids=KINDS)
def test_engines_agree_on_every_vector(changes: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "student.onnx"
    write(build(tiny_student(**changes, seed=5)), path)
    numpy, *others = (opened(path, engine) for engine in ENGINES)
    batch = sentences(1, 2, 3, 8, 17, 40)
    vectors = numpy.vectors(batch)
    assert (vectors.dtype, vectors.shape) == (np.int8, (6, 32))
    assert len(np.unique(vectors)) > 60
    alone = np.concatenate([numpy.vectors([sentence]) for sentence in batch])
    np.testing.assert_array_equal(vectors, alone)
    for engine in others:
        np.testing.assert_array_equal(engine.vectors(batch), vectors)
        assert engine.vectors([]).shape == (0, 32)
    trace = numpy.trace(batch[3])
    assert trace[-1][0] == "vector"
    np.testing.assert_array_equal(trace[-1][1].astype(int) - 128, vectors[3:4])


def test_the_mean_is_over_valid_tokens() -> None:
    hidden = torch.tensor([[[1.0, 2.0], [3.0, 6.0], [99.0, 99.0]]])
    valid = torch.tensor([[True, True, False]])
    assert pooled(hidden, valid, "mean").tolist() == [[2.0, 4.0]]
    assert pooled(hidden, valid, "cls").tolist() == [[1.0, 2.0]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A teacher, texts and a recipe."""
    made = tmp_path_factory.mktemp("embedding")
    save_teacher(made / "teacher")
    parquet.write_table(pa.table({"text": TEXTS}), made / "texts.parquet")
    (made / "recipe.toml").write_text(RECIPE)
    return made


def train(folder: Path, run: str, *more: str) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attention, "_compiled", lambda function: function)
        options = {"teacher": "teacher", "text": "texts.parquet", "out": run}
        named = [part for name, at in options.items() for part in (f"--{name}", str(folder / at))]
        recipe = ("--recipe", str(folder / "recipe.toml"))
        qat_train(["--head", "embedding", *named, *recipe, *more])
    return folder / run


@pytest.fixture(scope="module")
def run(folder: Path) -> Path:
    return train(folder, "mean")


@pytest.fixture(scope="module")
def student(run: Path) -> Path:
    """The exported file."""
    path = run.parent / "mean.onnx"
    export_onnx([str(run), "-o", str(path), "--head", "embedding"])
    return path


def test_stages_are_scored_by_their_cosines_to_the_teacher(run: Path) -> None:
    stages = {path.parent.name: json.loads(path.read_text()) for path in run.glob("*/metrics.json")}
    assert sorted(stages) == ["align", "distill", "ptq", "qat"]
    texts = list(hold_back_texts(TEXTS)[1]["text"])
    teacher = load_pretrained(str(run.parent / "teacher"), embedding_task("mean"), False)
    goal = logits(teacher, load_tokenizer(run / "qat"), texts)
    for name, metrics in stages.items():
        assert metrics["split"] == "held back"
        load_stage = load_float if name in ("align", "distill") else load_quantized
        made = logits(load_stage(run / name), load_tokenizer(run / name), texts)
        cosines = (made * goal).sum(1) / np.linalg.norm(made, axis=1) / np.linalg.norm(goal, axis=1)
        assert metrics["score"]["cosine"] == pytest.approx(cosines.mean(), abs=1e-4), name


@pytest.mark.slow
@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_the_file_gives_the_vectors_that_were_trained(
    folder: Path, run: Path, pooling: str, tmp_path: Path
) -> None:
    if pooling == "cls":
        run = train(folder, "cls", "--pooling", "cls")
    export_onnx([str(run), "-o", str(tmp_path / "s.onnx")])
    model, trained = load(tmp_path / "s.onnx", "numpy"), load_quantized(run / "qat")
    made = model.embed(TEXTS[:16])
    assert made.vectors.dtype == np.int8
    # In so small a student one float sum that falls on a tie moves all that follows by steps.
    floats = logits(trained, load_tokenizer(run / "qat"), TEXTS[:16])
    cosines = (made.unit() * floats).sum(1) / np.linalg.norm(floats, axis=1)
    assert cosines.min() > 0.99
    if pooling == "cls":
        return
    # The head alone, from the same integers: equal.
    quantizer = trained.layer_list()[-1].output_norm.quantizer
    unit = quantizer(torch.ones(1)).scale
    for text, vector in zip(TEXTS[:16], made.vectors, strict=True):
        hidden = dict(model.session.trace(model.encode([text])[0]))["layer.1.output"]
        values = torch.tensor(hidden.astype(np.float32) - 128)[None] * unit
        x = quantizer(values)
        found = trained.vector(x, torch.ones(1, len(hidden), dtype=torch.bool))
        assert torch.round(found.value / found.scale)[0].int().tolist() == vector.tolist()


def test_a_float_student_embeds_the_same_texts(run: Path, student: Path) -> None:
    from inhibi.engine.checkpoint import Checkpoint

    integers, floats = load(student).embed(TEXTS), Checkpoint(run / "distill").embed(TEXTS)
    assert floats.scale == 1
    assert (integers.unit() * floats.unit()).sum(1).min() > 0.9
    assert np.allclose(np.linalg.norm(integers.unit(), axis=1), 1)
    assert floats.tokens == integers.tokens
    assert load(student).embed([]).unit().shape == (0, 16)


def test_long_texts_are_cut_to_what_the_teacher_reads(run: Path) -> None:
    """It has 40 positions."""
    whole, cut = (
        logits(load_float(run / "distill"), load_tokenizer(run / "distill"), [" ".join(text)])
        for text in (TEXTS[:40], " ".join(TEXTS[:40]).split()[:38])
    )
    assert np.allclose(whole, cut)


@pytest.mark.slow
def test_a_student_of_an_earlier_run_is_distilled_on(folder: Path, run: Path) -> None:
    again = train(folder, "again", "--student", str(run / "distill"))
    assert sorted(p.parent.name for p in again.glob("*/metrics.json")) == ["distill", "ptq", "qat"]


def test_infer(student: Path, capsys: pytest.CaptureFixture[str]) -> None:
    infer(["--model", str(student), "--embed", "--json", *TEXTS[:2]])
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    made = load(student).embed(TEXTS[:2])
    assert [entry["vector"] for entry in found] == made.vectors.tolist()
    assert {entry["scale"] for entry in found} == {made.scale}
    assert [(entry["text"], entry["tokens"]) for entry in found] == list(
        zip(TEXTS[:2], made.tokens, strict=True)
    )
    infer(["--model", str(student), "--embed", TEXTS[0]])
    numbers, text = capsys.readouterr().out.rstrip("\n").split("\t")
    assert [int(number) for number in numbers.split()] == made.vectors[0].tolist()
    assert text == TEXTS[0]


def test_stsb_is_scored_by_cosines(
    student: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = {"sentence1": TEXTS[:30], "sentence2": TEXTS[30:]}
    labels = [i * 7 % 30 / 6 for i in range(30)]
    (tmp_path / "glue" / "stsb").mkdir(parents=True)
    table = pa.table(pairs | {"label": labels})
    parquet.write_table(table, tmp_path / "glue" / "stsb" / "validation.parquet")
    arguments = ["--task", "stsb", "--model", str(student), "--data-dir", str(tmp_path)]
    glue_eval([*arguments, "--json"])
    found = json.loads(capsys.readouterr().out)
    first, second = (load(student).embed(texts).unit() for texts in pairs.values())
    cosines = (first * second).sum(1)
    assert found["metrics"]["spearmanr"] == pytest.approx(stats.spearmanr(cosines, labels)[0])
    assert any("cosines" in note for note in found["notes"])


def test_the_report_and_the_inspection_know_them(
    student: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from inhibi.engine.inspection import main as inspect

    energy_report(["--model", str(student), "--json"])
    report = capsys.readouterr().out
    assert '"MeanPool"' in report
    inspect([str(student), "--json"])
    about = json.loads(capsys.readouterr().out)
    assert (about["problem"], about["labels"]) == ("embedding", [])


def test_mistakes_are_one_line(
    folder: Path, run: Path, student: Path, tiny_model: Path, fails: Callable[..., str]
) -> None:
    embedding = ("--head", "embedding", "--teacher", str(folder / "teacher"))
    embedding += ("--out", str(folder / "none"))
    texts = ("--text", str(folder / "texts.parquet"))
    (folder / "labelled.toml").write_text(RECIPE + "[finetune]\nsteps = 2\n")
    assert "name parquet files with --text" in fails(qat_train, *embedding)
    assert "--pooling is of use" in fails(
        qat_train, "--task", "sst2", "--teacher", "x", "--out", "y", "--pooling", "cls"
    )
    assert "--head embedding" in fails(qat_train, *embedding, *texts, "--task", "sst2")
    labelled = ("--recipe", str(folder / "labelled.toml"))
    assert "has no labels" in fails(qat_train, *embedding, *texts, *labelled)
    wide = save_teacher(folder / "wide", tiny_bert(hidden=32))
    recipe = ("--recipe", str(folder / "recipe.toml"))
    few = folder / "few.parquet"
    parquet.write_table(pa.table({"text": ["one", None, "", *["two"] * 20]}), few)
    assert "fewer than 10 different" in fails(qat_train, *embedding, *recipe, "--text", str(few))
    parquet.write_table(pa.table({"text": [1, 2]}), few)
    assert "something else than texts" in fails(qat_train, *embedding, *recipe, "--text", str(few))
    assert "makes embeddings" in fails(diagnose, str(run), str(student))
    assert "choose a student of the teacher's width" in fails(
        qat_train, *embedding, *texts, *recipe, "--student", str(wide)
    )
    out = ("-o", str(folder / "refused.onnx"))
    assert "trained with the head embedding" in fails(
        export_onnx, str(run), *out, "--head", "classifier"
    )
    assert "infer --embed" in fails(infer, "--model", str(student), "good")
    assert "qat-train --head embedding" in fails(
        infer, "--model", str(tiny_model), "--embed", "good"
    )
    data = ("--data-dir", str(save_data(folder / "data")))
    assert "makes embeddings" in fails(glue_eval, "--task", "sst2", "--model", str(student), *data)
    with pytest.raises(InputError, match="no embeddings"):
        load(tiny_model).embed(["good"])
    with pytest.raises(InputError, match="use embed"):
        load(student).classify(["good"])


@pytest.fixture
def fails(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command that must end with one line of error, and gives that line."""

    def run(command: Callable[[list[str]], None], *arguments: str) -> str:
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            command(list(arguments))
        assert stopped.value.code == 2
        lines = [x for x in capsys.readouterr().err.splitlines() if x.startswith("error: ")]
        assert len(lines) == 1
        return lines[0]

    return run
