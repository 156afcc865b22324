"""docs/ENERGY.md says what the code counts."""

import re
from collections import Counter
from pathlib import Path

import pytest

from inhibi.eval.energy import formulas
from inhibi.eval.energy.memory import parse

DOCUMENT = Path(__file__).parents[1] / "docs" / "ENERGY.md"
SIZES = {"N": 7, "K": 6, "M": 5, "C": 12, "H": 3, "n": 7}
N, K, M, C, H, n = SIZES.values()

COUNTED = {
    "MatMulInteger": formulas.matrix_product(N, K, M),
    "Requantize": formulas.requantize(N, C),
    "RequantizeLookup": formulas.requantize_lookup(N, C),
    "AddLayerNorm": formulas.add_layer_norm(N, C),
    "InhibitorAttention": formulas.inhibitor_attention([n], C, H),
    "DotProductAttention": formulas.dot_product_attention([n], C, H),
    "I-BERT's attention": formulas.i_bert_attention([n], C, H),
}


def written() -> dict[str, formulas.Counts]:
    """The table of counts, by operator, at SIZES."""
    made: dict[str, formulas.Counts] = {}
    section = DOCUMENT.read_text("utf-8").split("## Operations")[1].split("\n## ")[0]
    operator = ""
    for row in re.findall(r"^\|(.*)\|(.*)\|(.*)\|(.*)\|$", section, re.MULTILINE)[2:]:
        name, kind, number, count = (cell.strip() for cell in row)
        operator = name or operator
        total = made.setdefault(operator, Counter())
        kind = re.sub(r" \(.*\)", "", kind)
        if kind.startswith("as "):
            total.update(made[kind.removeprefix("as ")])
            continue
        times = eval(count.replace("\\", ""), {}, dict(SIZES))
        total.update(formulas._req(times) if kind == "req" else {(kind, number): times})
    return made


@pytest.mark.parametrize("operator", COUNTED)
def test_the_table_of_counts_is_that_of_the_code(operator: str) -> None:
    assert written()[operator] == COUNTED[operator]


def test_every_row_belongs_to_an_operator() -> None:
    assert written().keys() == COUNTED.keys()


def test_the_memories_it_names_are_read() -> None:
    section = DOCUMENT.read_text("utf-8").split("## Bytes")[1].split("\n## ")[0]
    names = re.findall(r"^\| (?:a size, )?`(.+?)`", section, re.MULTILINE)
    assert [parse(name).name for name in names] == ["dram", "on-chip", "64KB"]
