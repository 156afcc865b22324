"""docs/ENERGY.md says what the code counts."""

import re
from collections import Counter
from pathlib import Path

from inhibi.eval.energy import float_formulas, formulas
from inhibi.eval.energy.memory import parse

DOCUMENT = Path(__file__).parents[1] / "docs" / "ENERGY.md"
SIZES = {"N": 7, "K": 6, "M": 5, "C": 12, "H": 3, "n": 7}
N, K, M, C, H, n = SIZES.values()

COUNTED = {
    "MatMulInteger": formulas.matrix_product(N, K, M),
    "Requantize": formulas.requantize(N, C),
    "RequantizeLookup": formulas.requantize_lookup(N, C),
    "AddLayerNorm": formulas.add_layer_norm(N, C),
    "EmbedLayerNorm": formulas.embed_layer_norm(N, C),
    "Add": formulas.bias(N, C),
    "InhibitorAttention": formulas.inhibitor_attention([n], C, H),
    "DotProductAttention": formulas.dot_product_attention([n], C, H),
    "MeanPool": formulas.mean_pool([n], C),
    "I-BERT's attention": formulas.i_bert_attention([n], C, H),
}
NORM = float_formulas.layer_norm(N, C, added=2)
FLOATS = {
    "MatMulInteger": float_formulas.matrix_product(N, K, M),
    "Add": float_formulas.bias(N, C),
    "Requantize": float_formulas.bias(N, C),
    "RequantizeLookup": float_formulas.activation(N, C),
    "AddLayerNorm": NORM,
    "EmbedLayerNorm": NORM,
    "DotProductAttention": float_formulas.dot_product_attention([n], C, H),
    "InhibitorAttention": float_formulas.inhibitor_attention([n], C, H),
    "MeanPool": float_formulas.mean_pool([n], C),
}


def section(title: str) -> str:
    return DOCUMENT.read_text("utf-8").split(f"## {title}")[1].split("\n## ")[0]


def rows(first: str) -> list[list[str]]:
    """The cells of the table whose first heading this is."""
    table = section("Operations").split(f"| {first} |")[1].split("\n\n")[0]
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]
    ]


def value(count: str) -> int:
    return eval(count.replace("\\", ""), {}, dict(SIZES))


def integers() -> dict[str, formulas.Counts]:
    """The table of counts in integers, by operator, at SIZES."""
    made: dict[str, formulas.Counts] = {}
    operator = ""
    for name, kind, number, count in rows("operator"):
        operator = name or operator
        total = made.setdefault(operator, Counter())
        kind = re.sub(r" \(.*\)", "", kind)
        if kind.startswith("as "):
            total.update(made[kind.removeprefix("as ")])
            continue
        times = value(count)
        total.update(formulas._req(times) if kind == "req" else {(kind, number): times})
    return made


def floats() -> dict[str, float_formulas.Kinds]:
    """The table of counts in floats."""
    made: dict[str, float_formulas.Kinds] = {}
    operators: list[str] = []
    for names, kind, count in rows("float operator"):
        operators = names.split(":")[0].split(", ") if names else operators
        for operator in operators:
            made.setdefault(operator, Counter())[kind] += value(count)
    return made


def test_the_table_of_counts_is_that_of_the_code() -> None:
    assert integers() == COUNTED


def test_the_table_of_float_counts_is_that_of_the_code() -> None:
    assert floats() == FLOATS


def test_the_memories_it_names_are_read() -> None:
    names = re.findall(r"^\| (?:a size, )?`(.+?)`", section("Bytes"), re.MULTILINE)
    assert [parse(name).name for name in names] == ["dram", "on-chip", "64KB"]
