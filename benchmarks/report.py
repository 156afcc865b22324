"""docs/SPEED.md from the results, and from nothing else."""

from collections.abc import Mapping
from typing import Any

from benchmarks.floors import FLOORS
from benchmarks.markdown import table
from benchmarks.report_models import attention, models, sentences
from benchmarks.report_parts import cold_start, roofline, settings, shares
from inhibi.engine.files import sha256
from inhibi.engine.model import packaged

Results = Mapping[str, Any]

HEAD = """\
# Speed

`python -m benchmarks.speed --report` writes this page from
[speed.json](../benchmarks/results/speed.json), which `python -m benchmarks.speed` measures;
[its text](../benchmarks/speed.py) says how. Times are medians of rounds in which the models take
turns, in milliseconds; ratios are medians of peer / inhibi within a round: above 1, inhibi is
faster. "inhibi int8, dot product" is the same file with integer softmax attention in place of the
inhibitor's: the same work around it, and untrained. inhibi's files take only the first
token of each sentence on behind the last attention, which the classifier alone reads: an eighth of
the products less. The others run the graphs that their own tools write, with all tokens.
"""


def report(results: Results) -> str:
    """The whole page in Markdown; sections without results are left out."""
    sections = [
        HEAD + "\n" + _where(results),
        _floors(results),
        "![milliseconds over tokens](speed.svg)" if results.get("model") else "",
        models(results),
        sentences(results),
        attention(results, "attention", "The attention operator alone"),
        attention(results, "attention_avx2", "The same with AVX2 forced for inhibi"),
        roofline(results),
        shares(results),
        cold_start(results),
        settings(results),
    ]
    return "\n\n".join(section.strip("\n") for section in sections if section) + "\n"


def _where(results: Results) -> str:
    m = results["machine"]
    note = "" if results["native"] else " **Without the native library.**"
    quick = " **A quick run: few rounds.**" if results["quick"] else ""
    return (
        f"Machine: {m['processor']}, {m['cores']} cores, {', '.join(m['instructions'])}, "
        f"{m['memory_gib']} GiB; inhibi's kernels: {results['native'] or 'none'}; load before: "
        f"{m['load_average']}. Teacher: {results['teacher']}. Student: {_student(results)}."
        f"{note}{quick}"
    )


def _student(results: Results) -> str:
    same = results.get("student_sha256") == sha256(packaged())
    return "the packaged one" if same else "**not the one that is packaged now**"


def _floors(results: Results) -> str:
    rows = []
    for floor in FLOORS:
        value, unmasked = floor.measure(results), floor.unmasked(results)
        sign = "<=" if floor.at_most else ">="
        answer = "not measured" if value is None else "yes" if floor.reached(value) else "**no**"
        measured = "" if value is None else f"{value:.2f} {floor.unit}"
        beside = "" if unmasked is None else f"{unmasked:.2f} {floor.unit}"
        rows.append([floor.what, f"{sign} {floor.target:g} {floor.unit}", measured, answer, beside])
    text = (
        "One thread unless it says two. No mask: beside the same peer's file without an attention "
        "mask, which takes only sentences of one length at once; inhibi needs none."
    )
    header = ["", "floor", "measured", "reached", "no mask"]
    return f"## Floors\n\n{text}\n\n" + table(header, rows)
