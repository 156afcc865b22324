"""The page's tables of milliseconds: models, sentences, attention alone."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.attention_speed import INHIBITOR
from benchmarks.markdown import cell, distinct, table, threads_of, where_equal
from benchmarks.peers.ours import OURS

Results = Mapping[str, Any]


def models(results: Results) -> str:
    parts = []
    for threads, batch in distinct(results.get("model", []), "threads", "batch"):
        rows = where_equal(results["model"], threads=threads, batch=batch)
        title = f"### {threads_of(threads)}, batch {batch}, ms (ratio)\n\n"
        parts.append(title + _by_tokens(rows, OURS, results.get("accuracy")))
    return "\n\n".join(["## The whole model", *parts]) if parts else ""


def attention(results: Results, key: str, title: str) -> str:
    parts = []
    for heads, width, threads in distinct(results.get(key, []), "heads", "width", "threads"):
        rows = where_equal(results[key], heads=heads, width=width, threads=threads)
        head = f"### {heads} heads of {width}, {threads_of(threads)}, ms (ratio)\n\n"
        parts.append(head + _by_tokens(rows, INHIBITOR, None))
    return "\n\n".join([f"## {title}", *parts]) if parts else ""


def _by_tokens(rows: Sequence[Any], ours: str, accuracy: Mapping[str, Any] | None) -> str:
    """One line a model, one column a length."""
    header = ["", *(f"T = {row['tokens']}" for row in rows)]
    lines = []
    for name in rows[0]["models"]:
        cells = [cell(row["models"][name], "ms", name == ours) for row in rows]
        lines.append([f"**{name}**" if name == ours else name, *cells, *_scores(name, accuracy)])
    return table(header + (["accuracy", "as fp32"] if accuracy else []), lines)


def _scores(name: str, accuracy: Mapping[str, Any] | None) -> list[str]:
    if accuracy is None:
        return []
    found = accuracy.get(name)
    if not found:
        return ["", ""]
    return [f"{100 * found['accuracy']:.1f} %", f"{100 * found['equal_to_fp32']:.1f} %"]


def _packed(name: str, models: Mapping[str, Any]) -> list[str]:
    if name not in models:
        return ["", ""]
    batch = "packed" if name.startswith("inhibi") else str(models[name]["batch"])
    return [cell(models[name], "mean_ms", name == OURS), batch]


def sentences(results: Results) -> str:
    parts = []
    for row in results.get("sentences", []):
        alone, packed = row["alone"]["models"], row["packed"]["models"]
        lines = [
            [
                f"**{name}**" if name == OURS else name,
                cell(alone[name], "mean_ms", name == OURS),
                f"{alone[name]['median_ms']:.2f}",
                *_packed(name, packed),
            ]
            for name in alone
        ]
        header = ["", "alone, mean (ratio)", "alone, median", "all at hand, mean (ratio)", "batch"]
        parts.append(f"### {threads_of(row['threads'])}, ms a sentence\n\n" + table(header, lines))
    if not parts:
        return ""
    text = (
        "From a list of token ids to logits; tokens are made before. Alone: one call for each "
        "sentence. All at hand: inhibi packs, the others sort by length and pad, in the batch that "
        "suits each best."
    )
    first = results["sentences"][0]
    if "from_text_ms" in first:
        text += (
            f" From text to label, its tokenizer included, inhibi takes {first['from_text_ms']:.2f}"
            " ms alone, 1 thread (mean)."
        )
    title = f"## {first['alone']['sentences']} {results['data']} sentences"
    return "\n\n".join([title, text, *parts])
