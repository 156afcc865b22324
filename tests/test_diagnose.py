"""`inhibi diagnose`, and that it finds the operator that someone damaged."""

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_quantized import TEXTS, batch, quantized
from tiny_run import RECIPE, train
from tiny_teacher import save_data, save_teacher, tiny_bert, tiny_distilbert, tiny_tokenizer
from transformers import PreTrainedModel

from inhibi.engine.cli import main
from inhibi.engine.session import open_session
from inhibi.engine.text import Tokenizer
from inhibi.export import cli as export_cli
from inhibi.export.diagnosis import Diagnosis, Noise
from inhibi.export.diagnosis_text import _correlation, text
from inhibi.export.graph import build, write
from inhibi.export.side_by_side import diagnose
from inhibi.export.student import integer_student
from inhibi.kd.attention import InhibitorSettings
from inhibi.kd.data import find_task
from inhibi.kd.student import make_student
from inhibi.qat.operators import operators, run
from inhibi.qat.student import QuantStudent


@pytest.mark.parametrize("make", [tiny_bert, tiny_distilbert])
@pytest.mark.parametrize("settings", [InhibitorSettings(), InhibitorSettings(signed=False), None])
def test_operators_are_the_models(
    make: Callable[[], PreTrainedModel], settings: InhibitorSettings | None
) -> None:
    """All with rounding are the quantized student, all without the float one."""
    model = make_student(make(), settings).eval()
    student = quantized(model)
    inputs = batch()
    with torch.no_grad():
        ids, valid = student.table_ids(inputs["input_ids"]), inputs["attention_mask"].bool()
        chain = operators(student, ids, valid)
        rounded = run(chain, [operator.name for operator in chain])["logits"]
        assert torch.equal(rounded, student(**inputs).logits)
        torch.testing.assert_close(run(chain, ())["logits"], model(**inputs).logits)
        assert not torch.equal(rounded, model(**inputs).logits)


@pytest.fixture(scope="module")
def healthy() -> QuantStudent:
    """Wide enough that no operator is bad by accident."""
    return quantized(
        make_student(tiny_bert(hidden=64, heads=4, spread=0.1), InhibitorSettings(n0=4))
    )


def diagnosed(student: QuantStudent, folder: Path) -> Diagnosis:
    integers = integer_student(student, tiny_tokenizer(), find_task("sst2"), {})
    write(build(integers), folder / "student.onnx")
    session = open_session(folder / "student.onnx", "numpy", 1)
    tokenizer = Tokenizer(session.metadata.tokenizer, session.metadata.max_tokens)
    return diagnose(student, student, session, [tokenizer.encode(text) for text in TEXTS])


@pytest.fixture(scope="module")
def before(healthy: QuantStudent, tmp_path_factory: pytest.TempPathFactory) -> Diagnosis:
    return diagnosed(healthy, tmp_path_factory.mktemp("healthy"))


@pytest.mark.parametrize("factor", [1 / 8, 32])
@pytest.mark.parametrize(
    "name",
    [
        "layer.0.v",
        "layer.1.attention",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("embeddings", "layer.0.attention_output", "layer.1.output")
        ),
    ],
)
def test_a_damaged_operator_is_the_worst(
    healthy: QuantStudent, before: Diagnosis, name: str, factor: float, tmp_path: Path
) -> None:
    """One scale far too small (values saturate) or too large (few steps are left)."""
    student = copy.deepcopy(healthy)
    quantizer = quantizers(student)[name]
    for parameter in quantizer.parameters():
        parameter.data *= factor
    made = diagnosed(student, tmp_path)
    assert made.lowest()[0] == name
    assert made.operators[name].own.db < before.operators[name].own.db - 5
    if not name.endswith(".v"):  # whose scale is z's, too: the attention suffers with it
        assert made.costliest()[0] == name
        assert made.gain(name) > before.gain(name) + 3
    error, healthy_error = made.operators[name], before.operators[name]
    if factor < 1:
        assert error.saturated > 10 * healthy_error.saturated
        assert error.peak > 127 >= healthy_error.peak - 1
    else:
        assert error.rms < healthy_error.rms / 16
    assert error.lsb[2:].sum() == 0  # the file has the same damage


def quantizers(student: QuantStudent) -> dict[str, torch.nn.Module]:
    ids = student.table_ids(torch.zeros(1, 1, dtype=torch.int64))
    chain = operators(student, ids, torch.ones(1, 1, dtype=torch.bool))
    return {o.name: o.quantizer for o in chain if o.quantizer is not None}


def test_z_that_lets_all_through_or_blocks_all(healthy: QuantStudent, tmp_path: Path) -> None:
    student = copy.deepcopy(healthy)
    for layer, alpha in zip(student.layers, (-1e3, 1e3), strict=True):
        layer.attention.inhibitor.alpha.data.fill_(alpha)
    made = diagnosed(student, tmp_path).inhibition
    through, blocks = made["layer.0"], made["layer.1"]
    assert (through.zero, through.full) == (through.pairs, 0)
    assert (blocks.zero, blocks.full) == (0, blocks.pairs)
    assert blocks.blocked == blocks.values
    assert through.blocked < 0.2 * through.values
    tokens = [len(tiny_tokenizer()(text)["input_ids"]) for text in TEXTS]
    assert through.pairs == 4 * sum(n * n for n in tokens)


def test_a_correlation_of_equal_answers_is_0() -> None:
    """Their deviation is not quite 0 in float32."""
    labels = np.arange(7.0)
    assert _correlation(np.full(7, 0.1, np.float32), labels) == 0
    assert _correlation(labels.astype(np.float32), np.full(7, 2.9)) == 0
    assert _correlation(-2 * labels, labels) == pytest.approx(-1)


def test_signal_to_noise() -> None:
    noise = Noise()
    assert noise.db == float("inf")
    noise.add(torch.tensor([3.0]), torch.tensor([3.0]))
    noise.add(torch.tensor([1.0]), torch.tensor([1.1], dtype=torch.float64))
    assert noise.db == pytest.approx(30)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    save_teacher(folder / "teacher")
    save_data(folder / "data")
    return folder


@pytest.fixture(scope="module")
def finished(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run with the stages qat and ptq, and the file of the first."""
    folder = train(inputs, tmp_path_factory.mktemp("runs") / "run")
    export_cli.main([str(folder), "-o", str(folder / "student.onnx")])
    return folder, folder / "student.onnx"


def printed(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    capsys.readouterr()
    main(["diagnose", *map(str, arguments)])
    return capsys.readouterr().out


def test_a_run_is_diagnosed(
    inputs: Path, finished: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    options = (*finished, "--data-dir", inputs / "data", "--limit", "20")
    found = json.loads(printed(capsys, *options, "--json"))
    assert found["sentences"] == 20
    assert found["float_stage"] == "distill"
    assert len(found["operators"]) == 2 * 6 + 3
    gains = {name: one["gain"] for name, one in found["operators"].items()}
    assert found["costliest"] == sorted(gains, key=lambda name: -gains[name])[:5]
    assert set(found["answers"]) == {"student", "exact", "trained", "integers"}
    assert found["answers"]["student"]["equal"] == 1
    for name, one in found["operators"].items():
        assert one.get("rms", 0) <= 127
        assert sum(one.get("lsb", [1])) == pytest.approx(1), name
    # QAT moved the weights: then the float student is farther than rounding alone.
    assert found["operators"]["layer.0.output"]["student"] != pytest.approx(
        found["operators"]["layer.0.output"]["rounding"]
    )
    table = printed(capsys, *options)
    first = re.search(r"^(\S+) .*#1 ", table, re.MULTILINE)
    assert first
    assert first[1] == found["costliest"][0]
    assert set(re.findall(r"^(\S+) +\S+\* ", table, re.MULTILINE)) == set(found["lowest"])
    assert all(f"\n{name} " in table for name in found["operators"])


def test_the_page_shows_what_the_command_printed() -> None:
    root = Path(__file__).parent.parent
    content = json.loads((root / "benchmarks" / "results" / "diagnosis.json").read_text())
    assert f"```\n{text(content)}\n```" in (root / "docs" / "DIAGNOSIS.md").read_text()


def test_a_calibrated_student_and_a_file_of_texts(
    finished: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, _ = finished
    export_cli.main(["--no-qat", str(run), "-o", str(tmp_path / "ptq.onnx")])
    (tmp_path / "texts").write_text("a good film\nbad\nwarm\n")
    options = (run, tmp_path / "ptq.onnx", "--no-qat", "--file", tmp_path / "texts")
    found = json.loads(printed(capsys, *options, "--limit", "2", "--json"))
    assert found["sentences"] == 2
    assert "accuracy" not in found["answers"]["integers"]
    for one in found["operators"].values():  # calibration does no more than round the weights
        assert one["student"] == pytest.approx(one["rounding"], abs=3)


@pytest.mark.slow
def test_a_dot_product_student(
    inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = 'attention = "dot_product"\n' + RECIPE.replace(
        "[align]", "[finetune]\nsteps=0\n[align]"
    )
    run = train(inputs, tmp_path / "run", "--trained-teacher", recipe=recipe)
    export_cli.main([str(run), "-o", str(tmp_path / "student.onnx")])
    options = (run, tmp_path / "student.onnx", "--data-dir", inputs / "data", "--json")
    found = json.loads(printed(capsys, *options))
    assert found["inhibition"] == {}
    assert found["operators"]["layer.1.attention"]["own"] > 10


def test_mistakes_are_one_line(
    inputs: Path, finished: tuple[Path, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run, file = finished

    def said(*arguments: str | Path) -> str:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["diagnose", *map(str, arguments)])
        assert ended.value.code == 2
        [line] = capfd.readouterr().err.splitlines()
        return line

    data = ("--data-dir", inputs / "data")
    assert "no run of qat-train" in said(tmp_path, file)
    assert "there is no model file" in said(run, tmp_path / "none.onnx", *data)
    assert "is of another run: its stage is qat" in said(run, file, "--no-qat", *data)
    assert "has no split 'dev'" in said(run, file, "--split", "dev", *data)
    assert "no data folder" in said(run, file, "--data-dir", tmp_path / "none")
    (tmp_path / "texts").write_text("good\n\n")
    assert "line 2 is empty" in said(run, file, "--file", tmp_path / "texts")
    described = json.loads((run / "run.json").read_text())
    other = tmp_path / "other"
    (other / "qat").mkdir(parents=True)
    (other / "run.json").write_text(json.dumps(described))
    assert "holds no finished qat stage" in said(other, file)
    for part in (run / "qat").iterdir():
        if part.is_file():
            (other / "qat" / part.name).write_bytes(part.read_bytes())
    assert "holds no finished qat" not in said(other, file, *data)
    assert "no float student to compare with" in said(other, file, *data)
    (other / "run.json").write_text(json.dumps(described | {"seed": 9}))
    assert "another run: its seed is 0, that of" in said(other, file, *data)
    (other / "run.json").write_text(json.dumps(described))
    for part in (run / "ptq").glob("*.safetensors"):  # as if the stage had been trained again
        (other / "qat" / part.name).write_bytes(part.read_bytes())
    assert "has other scales than" in said(other, file, *data)
