"""Energies, their sources, and the report."""

import csv
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import onnx
import pytest
from tiny import tiny_student

from inhibi.engine.errors import InputError
from inhibi.engine.model import packaged
from inhibi.eval.energy import counts, figures, memory, sensitivity, sweep, wording
from inhibi.eval.energy.cli import main
from inhibi.eval.energy.comparison import compare
from inhibi.eval.energy.energy import SCOPES, Energy, Model
from inhibi.eval.energy.graph import MOVING, read
from inhibi.eval.energy.memory import ON_CHIP, WEIGHTS_FROM_DRAM
from inhibi.eval.energy.spreadsheet import COLUMNS
from inhibi.eval.energy.variants import (
    INTEGER_DOT_PRODUCT,
    INTEGER_I_BERT,
    INTEGER_INHIBITOR,
    VARIANTS,
    Variant,
)
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
    table = figures.load("45nm")
    assert table.figure("add", "int8") == figures.Figure(
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
    table = figures.load("7nm")
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
        assert figure.status == "assumed", operation
        assert figure.parents, operation
    # Derived from second-hand figures alone, it is no better than they are.
    assert table.figure("multiply-accumulate", "fp32").status == "unverified"


@pytest.mark.parametrize("name", figures.TECHNOLOGIES)
def test_every_figure_in_the_output_has_a_source_in_the_tables(name: str, tiny_model: Path) -> None:
    rules = json.loads((figures.TABLES / "assumptions.json").read_text("utf-8"))
    table = json.loads((figures.TABLES / f"{name}.json").read_text("utf-8"))
    sources = {source["text"]: source for source in table["sources"].values()}
    found = compare(tiny_model, 16, [name], WEIGHTS_FROM_DRAM)
    used_figures = found["energy"][name]["figures"]
    used = {operation for numbers in found["operations"].values() for operation in numbers}
    assert used <= set(used_figures)
    assert {"access64.dram", "access64.sram1MB"} <= set(used_figures)
    walked = set()
    left = [*used, "access64.dram", "access64.sram1MB"]
    while left:
        operation = left.pop()
        walked.add(operation)
        figure = used_figures[operation]
        if figure["parents"]:
            assert figure["source"] in {rule["rule"] for rule in rules.values()}, operation
            left += figure["parents"]
        else:
            expected = "published" if sources[figure["source"]]["verified"] else "unverified"
            assert figure["status"] == expected, operation
            assert figure["picojoules"] == table["picojoules"][operation][0], operation
    assert walked == set(used_figures)


def test_the_range_of_an_assumption_is_against_the_inhibitor() -> None:
    for name in figures.TECHNOLOGIES:
        table = figures.load(name)
        least = table.against_inhibitor()
        assert least.figure("absolute difference", "int8").picojoules == pytest.approx(
            2 * table.figure("add", "int8").picojoules
        )
        assert least.figure("exp", "fp32").picojoules == 0
        assert least.figure("look-up", "int16").picojoules == 0
        assert least.figure("divide", "int32") == figures.Figure(
            table.figure("multiply", "int32").picojoules,
            "assumed",
            table.figure("divide", "int32").source,
            ("multiply.int32",),
        )


@pytest.mark.parametrize("rival", [INTEGER_DOT_PRODUCT, INTEGER_I_BERT])
def test_integer_comparators_differ_in_attention_alone(rival: Variant, tiny_model: Path) -> None:
    graph = read(tiny_model)
    pairs = zip(*(counts.count(graph, v, [16]) for v in (INTEGER_INHIBITOR, rival)), strict=True)
    # Their table of exponentials or constants in place of our entry of the length table.
    # The exponentials are the same for all layers and counted in the first.
    for ours, theirs in pairs:
        first = ours.node.layer == "layer.0"
        table = {INTEGER_DOT_PRODUCT: 256 * 2 * first, INTEGER_I_BERT: 4 * 4}[rival]
        assert (ours.operations != theirs.operations) == ours.node.core, ours.node.name
        more = counts.moved([theirs])
        more.subtract(counts.moved([ours]))
        expected = {("weights", "read"): table - 4} if ours.node.core else {}
        assert {what: size for what, size in more.items() if size} == expected, ours.node.name


def test_floats_have_the_same_shapes(tiny_model: Path) -> None:
    """Twice and four times the bytes of products' weights and of activations."""
    graph = read(tiny_model)
    moved = {
        v.name: {n.node.name: counts.moved([n]) for n in counts.count(graph, v, [16])}
        for v in VARIANTS
    }
    for name, size in (("fp16 dot product", 2), ("fp32 dot product", 4), ("fp32 inhibitor", 4)):
        for node in ("layer.0.qkv.product", "layer.1.output.product", "pooler.product"):
            for what in (("weights", "read"), ("activations", "read")):
                assert moved[name][node][what] == size * moved["integer inhibitor"][node][what]


def test_a_dot_product_file_is_compared_in_the_same_way(tmp_path: Path, tiny_model: Path) -> None:
    path = tmp_path / "dot.onnx"
    write(build(tiny_student(attention="dot_product")), path)
    ours, theirs = (compare(p, 16, ["45nm"], WEIGHTS_FROM_DRAM) for p in (tiny_model, path))
    assert (ours["variant"], theirs["variant"]) == ("integer inhibitor", "integer dot product")
    assert ours["operations"] == theirs["operations"]
    assert ours["bytes"] == theirs["bytes"]
    assert ours["sweep"] == theirs["sweep"]


def test_bytes_are_those_of_the_shapes(tiny_model: Path) -> None:
    """The tiny student: 32 channels, 4 heads, intermediate 48; 16 tokens."""
    counted = counts.count(read(tiny_model), INTEGER_INHIBITOR, [16])
    found = {count.node.name: dict(counts.moved([count])) for count in counted}
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


def priced(path: Path, name: str, where: memory.Memory, technology: str = "45nm") -> Energy:
    """The energy of one node in that memory, for 16 tokens."""
    whole = Model.of(counts.count(read(path), INTEGER_INHIBITOR, [16]), where)
    part = whole.part([count for count in whole.nodes if count.node.name == name])
    return part.energy(figures.load(technology))


def test_energy_is_operations_and_bytes_times_figures(tiny_model: Path) -> None:
    on_chip = priced(tiny_model, "pooler.product", ON_CHIP)
    assert on_chip.operations == pytest.approx(32 * 32 * 0.3 + 32 * 0.03)
    assert on_chip.weights == pytest.approx(32 * 32 / 8 * 100)
    assert on_chip.activations == pytest.approx(32 / 8 * 100)
    assert on_chip.accumulators == pytest.approx(32 * 4 / 8 * 100)
    assert on_chip.total == pytest.approx(on_chip.operations + on_chip.memory)
    from_dram = priced(tiny_model, "pooler.product", WEIGHTS_FROM_DRAM)
    assert from_dram.memory - on_chip.memory == pytest.approx(32 * 32 / 8 * (1300 - 100))


def test_a_memory_keeps_what_fits(tiny_model: Path) -> None:
    """The tiny student: 16 tokens, 32 channels: 512 bytes of activations, 6,144 of accumulators
    behind Q, K and V, and scores of 64 bytes a row; some tens of KB of weights."""
    name, rows = "layer.0.qkv.product", 16
    large = priced(tiny_model, name, memory.parse("1MB"))
    assert large == priced(tiny_model, name, ON_CHIP)
    small = priced(tiny_model, name, memory.parse("8KB"))
    assert small.weights == pytest.approx(32 * 96 / 8 * 1300)
    assert small.activations == pytest.approx(rows * 32 / 8 * 10)
    assert small.accumulators == pytest.approx(rows * 96 * 4 / 8 * 10)
    tiny = priced(tiny_model, name, memory.parse("4KB"))
    assert tiny.activations == small.activations  # below the smallest published size: as that
    assert tiny.accumulators == pytest.approx(rows * 96 * 4 / 8 * 1300)
    scores = priced(tiny_model, "layer.0.attention", memory.parse("4KB"))
    assert scores.accumulators == pytest.approx(2 * 4 * 16 * 16 * 4 / 8 * 10)


@pytest.mark.parametrize(("text", "level"), [("64KB", "sram64KB"), ("2MB", "sram2MB"),
                                             ("1024KB", "sram1MB")])  # fmt: skip
def test_sizes_of_memory(text: str, level: str) -> None:
    parsed = memory.parse(text)
    assert parsed.capacity is not None
    assert memory.level_name(parsed.capacity) == level


def test_a_memory_between_two_published_sizes_is_interpolated() -> None:
    table = figures.load("45nm")
    between = table.figure("access64", "sram16KB")
    assert between.picojoules == pytest.approx((10 * 20) ** 0.5)  # 8, 16, 32: half way by octaves
    assert between.status == "assumed"
    assert between.parents == ("access64.sram8KB", "access64.sram32KB")
    assert table.figure("access64", "sram4KB").picojoules == 10
    assert table.figure("access64", "sram8MB").picojoules == 100
    assert table.figure("access64", "sram32KB") == table.published["access64.sram32KB"]


def test_scopes_are_told_apart(tiny_model: Path) -> None:
    whole = Model.of(counts.count(read(tiny_model), INTEGER_INHIBITOR, [16]), ON_CHIP)
    names = {
        scope: [n.node.name for n in whole.scope(scope).nodes if n.node.operator not in MOVING]
        for scope in SCOPES
    }
    assert names["attention_core"] == ["layer.0.attention", "layer.1.attention"]
    block = ["qkv.product", "qkv", "attention", "attention_output.product", "attention_output"]
    assert names["attention_block"] == [f"layer.{i}.{part}" for i in (0, 1) for part in block]
    assert names["whole_model"][0] == "embeddings"
    assert sum(len(part.nodes) for part in whole.layers().values()) == len(whole.nodes)


def test_where_the_attention_core_has_half(tiny_model: Path) -> None:
    graph, table = read(tiny_model), figures.load("45nm")
    at = sweep.dominating(graph, INTEGER_INHIBITOR, table, ON_CHIP)
    assert at is not None

    def share(tokens: int) -> float:
        whole = Model.of(counts.count(graph, INTEGER_INHIBITOR, [tokens]), ON_CHIP)
        return whole.scope("attention_core").energy(table).total / whole.energy(table).total

    assert share(at - 1) < 0.5 <= share(at)
    free = table.scaled({"access64": 0.0, "absolute difference": 0.0, "compare": 0.0,
                         "subtract": 0.0, "add": 0.0, "divide": 0.0, "shift": 0.0,
                         "multiply-accumulate.int32": 0.0})  # fmt: skip
    assert sweep.dominating(graph, INTEGER_INHIBITOR, free, ON_CHIP) is None


def test_a_share_that_falls_again_is_found_where_it_first_has_half() -> None:
    """The packaged student in 16 MB: at 4,096 tokens tensors no longer fit and cost more."""
    graph, table, where = read(packaged()), figures.load("7nm"), memory.parse("16MB")
    at = sweep.dominating(graph, INTEGER_INHIBITOR, table, where)
    assert at is not None
    assert 1024 < at < 2048


def test_sweeps_agree_with_the_report(tiny_model: Path) -> None:
    found = compare(tiny_model, 16, ["45nm"], WEIGHTS_FROM_DRAM)
    totals = {
        scope: {name: parts["total"] for name, parts in variants.items()}
        for scope, variants in found["energy"]["45nm"]["scopes"].items()
    }
    swept = found["sweep"]["45nm"]
    assert swept["tokens"][0] == {"tokens": 16, **totals}
    assert {"width": 32, "heads": 4, **totals} in swept["heads"]
    assert [p["heads"] for p in swept["heads"]] == [1, 2, 4, 8, 16, 32]
    assert [(p["width"], p["heads"]) for p in swept["width"]][:2] == [(128, 16), (256, 32)]


def test_sensitivities(tiny_model: Path) -> None:
    table = figures.load("45nm")
    graph = read(tiny_model)
    models = {v.name: Model.of(counts.count(graph, v, [16]), WEIGHTS_FROM_DRAM) for v in VARIANTS}
    found = {answer.change: answer.ratios for answer in sensitivity.answers(models, table)}

    def core(name: str, changed: figures.Technology) -> float:
        return models[name].scope("attention_core").energy(changed).operations

    names = (INTEGER_DOT_PRODUCT.name, INTEGER_INHIBITOR.name)
    product, ours = (core(name, table.scaled({"look-up": 0.0})) for name in names)
    assert found["memory free, look-ups too"]["attention_core"] == pytest.approx(product / ours)
    # Twice the published addition makes an absolute difference, a comparison and a sum twice, too.
    changed = table.scaled({"add.int8": 2.0})
    assert changed.figure("absolute difference", "int8").picojoules == pytest.approx(0.06)
    assert changed.figure("multiply-accumulate", "int8") == table.figure(
        "multiply-accumulate", "int8"
    )
    stands = found["as the figures stand"]["attention_core"]
    assert found["add.int8 twice"]["attention_core"] < stands
    assert found["multiply.int8 twice"]["attention_core"] > stands
    assert found["division free"]["attention_core"] < stands
    free = found["exp free: look-ups in softmax's table"]
    assert free["attention_core"] < stands
    assert not [change for change in found if change.startswith("exp.fp32")]  # no integer has it
    shown = [
        a["change"]
        for a in wording.telling([asdict(a) for a in sensitivity.answers(models, table)])
    ]
    assert "access64.sram8KB twice" in shown
    assert "access64.sram8KB half" in shown
    assert "square root.int64 twice" not in shown  # the same in both


def test_the_report_puts_the_honest_comparison_first(report: Report) -> None:
    shown = report("--tokens", "12")
    headings = (
        "A model, not a measurement",
        "Whole model: integer attentions",
        "Its share grows",
        "Attention blocks:",
        "Attention cores:",
        "By length:",
        "How the answer changes",
        "Memory:",
        "Figures in pJ",
    )
    positions = [shown.index(heading) for heading in headings]
    assert positions == sorted(positions)
    whole = shown[positions[1] : positions[2]]
    assert whole.index("integer dot product") < whole.index("fp32 dot product")
    assert "not checked against the paper" in shown
    assert "an addition of its width" in shown
    assert "layer.1" not in shown
    assert "twice" not in shown[positions[6] : positions[7]]
    assert max(map(len, shown.splitlines())) <= 100
    details = report("--details")
    assert "layer.1" in details
    assert "add.int8 twice" in details


def test_the_table_of_rows_holds_every_count(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "energy.csv"
    found = json.loads(report("--json", "--csv", str(path)))
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert tuple(header) == COLUMNS
    table = [dict(zip(header, row, strict=True)) for row in rows]
    total: dict[str, float] = {}
    for row in table:
        if row["technology"] == "45nm":
            joules = int(row["count"]) * float(row["picojoules_each"])
            assert float(row["picojoules"]) == pytest.approx(joules)
            total[row["variant"]] = total.get(row["variant"], 0) + joules
    expected = found["energy"]["45nm"]["scopes"]["whole_model"]
    assert total == {name: pytest.approx(parts["total"]) for name, parts in expected.items()}
    moved = [
        row
        for row in table
        if (row["what"], row["variant"], row["technology"])
        == ("bytes", INTEGER_INHIBITOR.name, "45nm")
    ]
    assert sum(int(r["count"]) for r in moved) == sum(
        found["bytes"][INTEGER_INHIBITOR.name].values()
    )


def test_json_holds_every_node(report: Report) -> None:
    found = json.loads(report("--json", "--technology", "45nm"))
    assert found["tokens"] == 32
    assert list(found["energy"]) == ["45nm"]
    whole = found["energy"]["45nm"]["scopes"]["whole_model"]
    assert list(whole) == [variant.name for variant in VARIANTS]
    nodes = found["nodes"][INTEGER_INHIBITOR.name]
    assert [node["name"] for node in nodes if node["layer"] == "layer.0"][:3] == [
        "layer.0.qkv.product",
        "layer.0.qkv",
        "layer.0.attention",
    ]
    summed: dict[str, int] = {}
    for node in nodes:
        for operation, times in node["operations"].items():
            summed[operation] = summed.get(operation, 0) + times
    assert summed == found["operations"][INTEGER_INHIBITOR.name]


def test_one_token_is_counted(report: Report) -> None:
    found = json.loads(report("--tokens", "1", "--json"))
    for operations in found["operations"].values():
        assert min(operations.values()) > 0


def test_weights_on_chip_cost_less(report: Report) -> None:
    def memory(*arguments: str) -> Any:
        found = json.loads(report("--json", "--technology", "45nm", *arguments))
        return found["energy"]["45nm"]["scopes"]["whole_model"][INTEGER_INHIBITOR.name]["memory"]

    assert memory("--memory", "on-chip") < memory()


def test_a_technology_of_the_users_own(report: Report, tmp_path: Path) -> None:
    table = json.loads((figures.TABLES / "45nm.json").read_text("utf-8"))
    table["picojoules"]["exp.fp32"] = [1.5, "mine"]
    table["sources"]["mine"] = {"text": "measured here", "verified": True}
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(table), "utf-8")
    found = json.loads(report("--json", "--technology", str(path)))
    exp = found["energy"][str(path)]["figures"]["exp.fp32"]
    assert (exp["picojoules"], exp["source"]) == (1.5, "measured here")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--tokens", "0"], "reads 1 to 40 tokens"),
        (["--tokens", "41"], "reads 1 to 40 tokens"),
        (["--technology", "28nm"], "no technology 28nm"),
        (["--technology", __file__], "is no energy table"),
        (["--tokens", "many"], "--tokens"),
        (["--memory", "0KB"], "give dram, on-chip or a size such as 64KB"),
        (["--csv", "/nowhere/energy.csv"], "cannot write /nowhere/energy.csv: there is no folder"),
        (["--html", "/"], "cannot write /: it is no file"),
        (["--html", "/proc"], "cannot write /proc: it is no file"),
        (["--results", "results"], "--results is of use with --task only"),
        (["--data-dir", "data"], "--data-dir is of use with --task only"),
        (["--peer", "peer.onnx"], "--peer is of use with --measure only"),
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
    with pytest.raises(InputError, match=r"has no figure for convolve\.int8"):
        figures.load("45nm").figure("convolve", "int8")


def own_table(path: Path, **changes: Any) -> Path:
    """45 nm with other entries: pJ, or None to leave one out."""
    table = json.loads((figures.TABLES / "45nm.json").read_text("utf-8"))
    table["sources"]["mine"] = {"text": "measured here", "verified": True}
    table["title"] = changes.pop("title", table["title"])
    for entry, picojoules in changes.pop("entries", {}).items():
        table["picojoules"].pop(entry, None)
        if picojoules is not None:
            table["picojoules"][entry] = [picojoules, "mine"]
    path.write_text(json.dumps(table), "utf-8")
    return path


def test_the_source_of_a_figure_behind_a_rule_is_shown(report: Report, tmp_path: Path) -> None:
    path = own_table(tmp_path / "mine.json", entries={"multiply.int8": 0.7})
    shown = report("--technology", str(path), "--html", str(tmp_path / "page.html"))
    assert "measured here" in shown
    assert "measured here" in (tmp_path / "page.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"exp.fp23": 1.0}, "the entry exp.fp23 is of no known kind and type"),
        ({"access64.sram64kb": 1.0}, "access64.sram64kb is of no known"),
        ({"multiply": 1.0}, "the entry multiply is of no known"),
        ({"add.fp16": None}, "has no figure for add.fp16, which follows from no other"),
        ({"add.int8": -1.0}, "is no energy table"),
        ({"add.int8": "much"}, "is no energy table"),
    ],
)
def test_a_table_with_a_mistake_is_one_line(
    entries: dict[str, Any],
    said: str,
    tmp_path: Path,
    tiny_model: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = own_table(tmp_path / "mine.json", entries=entries)
    shown = error("--model", str(tiny_model), "--technology", str(path), capsys=capsys)
    assert said in shown
    assert str(path) in shown


def test_figures_of_nothing_are_shown(report: Report, tmp_path: Path) -> None:
    """Whatever costs nothing: no division by it, no logarithm of it."""
    table = json.loads((figures.TABLES / "45nm.json").read_text("utf-8"))
    path = own_table(tmp_path / "mine.json", entries=dict.fromkeys(table["picojoules"], 0))
    page = tmp_path / "page.html"
    assert "none" in report("--technology", str(path), "--html", str(page), "--details")
    assert page.is_file()


def test_titles_are_shown_as_they_are_and_told_apart(report: Report, tmp_path: Path) -> None:
    path = own_table(tmp_path / "mine.json", title="[/x] [bold]mine")
    assert "[/x] [bold]mine" in report("--technology", str(path))
    same = own_table(tmp_path / "same.json", title="45 nm")
    found = json.loads(report("--json", "--technology", "45nm", str(same)))
    titles = [technology["title"] for technology in found["energy"].values()]
    assert titles == ["45 nm (45nm)", f"45 nm ({same})"]


def test_one_size_of_memory_has_one_name(tmp_path: Path) -> None:
    path = own_table(tmp_path / "mine.json", entries={"access64.sram1024KB": 55})
    assert figures.load(str(path)).figure("access64", "sram1MB").picojoules == 55


def test_scores_are_moved_where_all_are_needed_first(tmp_path: Path) -> None:
    path = tmp_path / "uncentred.onnx"
    write(build(tiny_student(centred=False)), path)
    counted = counts.count(read(path), INTEGER_INHIBITOR, [16])
    [moved, *_] = [counts.moved([count]) for count in counted if count.node.core]
    assert {what for what, _ in moved} == {"weights", "activations"}
    rival = counts.count(read(path), INTEGER_DOT_PRODUCT, [16])
    [moved, *_] = [counts.moved([count]) for count in rival if count.node.core]
    assert moved["accumulators", "read"] == 4 * 16 * 16 * 4


def test_a_file_without_its_constants_is_one_line(
    tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = onnx.load(tiny_model)
    del model.graph.initializer[3:]
    path = tmp_path / "lacking.onnx"
    onnx.save(model, path)
    assert "lacks parts of a student" in error("--model", str(path), capsys=capsys)
    del model.graph.node[:]
    onnx.save(model, path)
    assert "lacks parts of a student" in error("--model", str(path), capsys=capsys)
