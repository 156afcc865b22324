"""Energies, their sources, and the report."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny import tiny_student

from inhibi.engine.errors import InputError
from inhibi.eval import counts, energy
from inhibi.eval.comparison import (
    FP32_DOT_PRODUCT,
    INTEGER_DOT_PRODUCT,
    INTEGER_INHIBITOR,
    compare,
    variants,
)
from inhibi.eval.energy_report import main
from inhibi.eval.graph import ATTENTIONS, read
from inhibi.export.graph import build, write

Report = Callable[..., str]


@pytest.fixture
def report(tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> Report:
    """Runs `energy-report` on the tiny student and gives its output."""

    def run(*arguments: str) -> str:
        main(["--model", str(tiny_model), *arguments])
        return capsys.readouterr().out

    return run


def error(*arguments: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    assert stopped.value.code == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    return shown.err


def test_published_figures_are_the_papers() -> None:
    table = energy.load("45nm")
    assert table.figure("add", "int8") == energy.Figure(
        0.03,
        "published",
        "M. Horowitz, Computing's energy problem (and what we can do about it), ISSCC 2014, "
        "pp. 10-14, at 0.9 V",
    )
    # One int8 and one fp32 multiply-accumulate, one term of a distance.
    assert table.figure("multiply-accumulate", "int8").picojoules == pytest.approx(0.3)
    assert table.figure("multiply-accumulate", "int8").status == "published"
    assert table.figure("multiply-accumulate", "fp32").picojoules == pytest.approx(4.6)
    assert table.figure("absolute difference", "int8").picojoules == pytest.approx(0.03)


def test_figures_that_no_table_gives_follow_their_rule_and_say_so() -> None:
    table = energy.load("7nm")
    expected = {
        ("add", "int16"): (2 * 0.007 + 0.03) / 3,
        ("add", "int64"): 2 * 0.03,
        ("multiply", "int16"): 0.8 * 0.07 + 0.2 * 1.48,
        ("multiply", "int64"): 4 * 1.48,
        ("compare", "int64"): 2 * 0.03,
        ("divide", "int32"): 7.1 * 1.48,
        ("look-up", "int8"): 7.5 / 8,
        ("exp", "fp32"): 7 * (1.31 + 0.38),
    }
    for operation, picojoules in expected.items():
        figure = table.figure(*operation)
        assert figure.picojoules == pytest.approx(picojoules), operation
        assert (figure.status, figure.derived) == ("assumed", True), operation
    # Derived from second-hand figures alone, it is no better than they are.
    assert table.figure("multiply-accumulate", "fp32").status == "unverified"


@pytest.mark.parametrize("name", energy.TECHNOLOGIES)
def test_every_figure_in_the_output_has_a_source_in_the_tables(name: str, tiny_model: Path) -> None:
    rules = json.loads((energy.TABLES / "assumptions.json").read_text("utf-8"))
    table = json.loads((energy.TABLES / f"{name}.json").read_text("utf-8"))
    sources = {source["text"]: source for source in table["sources"].values()}
    found = compare(tiny_model, 16, [name], "dram")
    figures = found["energy"][name]["figures"]
    used = {operation for numbers in found["operations"].values() for operation in numbers}
    assert used <= set(figures)
    assert {"access64.dram", "access64.sram1MB"} <= set(figures)
    for operation, figure in figures.items():
        if figure["derived"]:
            assert figure["source"] in {rule["rule"] for rule in rules.values()}, operation
        else:
            expected = "published" if sources[figure["source"]]["verified"] else "unverified"
            assert figure["status"] == expected, operation


def test_the_range_of_an_assumption_is_against_the_inhibitor() -> None:
    for name in energy.TECHNOLOGIES:
        table = energy.load(name)
        least = table.against_inhibitor()
        assert least.figure("absolute difference", "int8").picojoules == pytest.approx(
            2 * table.figure("add", "int8").picojoules
        )
        assert least.figure("exp", "fp32").picojoules == 0
        assert least.figure("look-up", "int16").picojoules == 0
        assert least.figure("divide", "int32") == energy.Figure(
            table.figure("multiply", "int32").picojoules,
            "assumed",
            table.figure("divide", "int32").source,
            derived=True,
        )


def test_integer_comparators_differ_in_attention_alone(tiny_model: Path) -> None:
    counted = variants(read(tiny_model), [16])
    inhibitor, product = counted[INTEGER_INHIBITOR], counted[INTEGER_DOT_PRODUCT]
    for ours, theirs in zip(inhibitor, product, strict=True):
        attention = ours.node.operator in ATTENTIONS
        assert (ours.operations != theirs.operations) == attention, ours.node.name
        # Their table of exponentials in place of our entry of the length table, no other byte.
        more = theirs.traffic["weights", "read"] - ours.traffic["weights", "read"]
        assert more == (256 * 2 - 4) * attention, ours.node.name
        assert {**theirs.traffic, ("weights", "read"): 0} == {
            **ours.traffic,
            ("weights", "read"): 0,
        }, ours.node.name


def test_a_dot_product_file_is_compared_in_the_same_way(tmp_path: Path, tiny_model: Path) -> None:
    path = tmp_path / "dot.onnx"
    write(build(tiny_student(attention="dot_product")), path)
    ours, theirs = (compare(p, 16, ["45nm"], "dram") for p in (tiny_model, path))
    assert (ours["attention"], theirs["attention"]) == (INTEGER_INHIBITOR, INTEGER_DOT_PRODUCT)
    assert ours["operations"] == theirs["operations"]
    assert ours["bytes"] == theirs["bytes"]


def test_bytes_are_those_of_the_shapes(tiny_model: Path) -> None:
    """The tiny student: 32 channels, 4 heads, intermediate 48; 16 tokens."""
    found = {count.node.name: dict(count.traffic) for count in counts.count(read(tiny_model), [16])}
    weights, activations, accumulators = "weights", "activations", "accumulators"
    assert found["layer.0.intermediate.product"] == {
        (weights, "read"): 32 * 48,
        (activations, "read"): 16 * 32,
        (accumulators, "written"): 16 * 48 * 4,
    }
    assert found["layer.0.output"] == {
        (weights, "read"): 32 * (4 * 4 + 4 + 8 + 4),
        (activations, "read"): 16 * 32,
        (activations, "written"): 16 * 32,
        (accumulators, "read"): 16 * 32 * 4,
    }
    assert found["layer.0.attention"] == {
        (weights, "read"): 4 * 3 * 4 + 32 * 2 * 4 + 4,
        (activations, "read"): 16 * 96,
        (activations, "written"): 16 * 32,
        (accumulators, "written"): 4 * 16 * 16 * 4,
        (accumulators, "read"): 4 * 16 * 16 * 4,
    }
    rows = 3 * 16 * 32  # of the tables
    parameters = 3 * 32 * 4 + 32 * (4 + 8 + 4)
    assert found["embeddings"][weights, "read"] == rows + parameters
    assert found["pooler.product"][activations, "read"] == 32
    assert found["logits"][accumulators, "written"] == 2 * 4


def test_energy_is_operations_and_bytes_times_figures(tiny_model: Path) -> None:
    product = [c for c in counts.count(read(tiny_model), [16]) if c.node.name == "pooler.product"]
    on_chip = energy.load("45nm", energy.ON_CHIP).energy(product)
    assert on_chip.operations == pytest.approx(32 * 32 * 0.3 + 32 * 0.03)
    assert on_chip.memory == pytest.approx((32 * 32 + 32 + 32 * 4) / 8 * 100)
    from_dram = energy.load("45nm").energy(product)
    assert from_dram.memory - on_chip.memory == pytest.approx(32 * 32 / 8 * (1300 - 100))


def test_the_report_puts_the_honest_comparison_first(report: Report) -> None:
    shown = report("--tokens", "12")
    headings = (
        "Whole model, integer attentions",
        "Its share grows with length",
        "Attention core alone",
        "Against fp32 with dot-product attention: whole model",
        "Memory:",
        "Figures in pJ",
    )
    positions = [shown.index(heading) for heading in headings]
    assert positions == sorted(positions)
    assert "not checked against the paper" in shown
    assert "an addition of its width" in shown
    assert "layer.1" not in shown
    assert max(map(len, shown.splitlines())) < 160
    assert "layer.1" in report("--details")


def test_json_holds_every_node(report: Report) -> None:
    found = json.loads(report("--json", "--technology", "45nm"))
    assert found["tokens"] == 32
    assert list(found["energy"]) == ["45nm"]
    whole = found["energy"]["45nm"]["whole_model"]
    assert list(whole) == [INTEGER_INHIBITOR, INTEGER_DOT_PRODUCT, FP32_DOT_PRODUCT]
    nodes = found["nodes"][INTEGER_INHIBITOR]
    assert [node["name"] for node in nodes if node["layer"] == "layer.0"][:3] == [
        "layer.0.qkv.product",
        "layer.0.qkv",
        "layer.0.attention",
    ]
    summed: dict[str, int] = {}
    for node in nodes:
        for operation, times in node["operations"].items():
            summed[operation] = summed.get(operation, 0) + times
    assert summed == found["operations"][INTEGER_INHIBITOR]


def test_one_token_is_counted(report: Report) -> None:
    found = json.loads(report("--tokens", "1", "--json"))
    for operations in found["operations"].values():
        assert min(operations.values()) > 0


def test_weights_on_chip_cost_less(report: Report) -> None:
    def memory(*arguments: str) -> Any:
        found = json.loads(report("--json", "--technology", "45nm", *arguments))
        return found["energy"]["45nm"]["whole_model"][INTEGER_INHIBITOR]["memory"]

    assert memory("--weights", "sram") < memory()


def test_a_technology_of_the_users_own(report: Report, tmp_path: Path) -> None:
    table = json.loads((energy.TABLES / "45nm.json").read_text("utf-8"))
    table["picojoules"]["exp.fp32"] = [1.5, "mine"]
    table["sources"]["mine"] = {"text": "measured here", "verified": True}
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(table), "utf-8")
    figures = json.loads(report("--json", "--technology", str(path)))["energy"][str(path)][
        "figures"
    ]
    assert figures["exp.fp32"]["picojoules"] == 1.5
    assert figures["exp.fp32"]["source"] == "measured here"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--tokens", "0"], "reads 1 to 40 tokens"),
        (["--tokens", "41"], "reads 1 to 40 tokens"),
        (["--technology", "28nm"], "no technology 28nm"),
        (["--technology", __file__], "is no energy table"),
        (["--tokens", "many"], "--tokens"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str], said: str, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in error("--model", str(tiny_model), *arguments, capsys=capsys)


def test_what_is_no_student_is_one_line(
    tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "no model file" in error("--model", str(tmp_path / "none.onnx"), capsys=capsys)
    empty = tmp_path / "empty.onnx"
    empty.touch()
    assert f"{empty}: " in error("--model", str(empty), capsys=capsys)
    text = tmp_path / "text.onnx"
    text.write_text("no model at all", "utf-8")
    assert "ONNX" in error("--model", str(text), capsys=capsys)
    cut = tmp_path / "cut.onnx"
    cut.write_bytes(tiny_model.read_bytes()[:5000])
    error("--model", str(cut), capsys=capsys)


def test_an_operation_without_figure_or_rule_is_refused() -> None:
    with pytest.raises(InputError, match=r"no rule for convolve\.int8"):
        energy.load("45nm").figure("convolve", "int8")
