"""The page's other tables: roofline, shares, cold start, settings."""

from collections.abc import Mapping
from typing import Any

from benchmarks.markdown import table

Results = Mapping[str, Any]


def roofline(results: Results) -> str:
    found = results.get("roofline")
    if not found or "clock_ghz" not in found:
        return ""
    lines = [
        [
            row["isa"],
            f"{row['heads']} x {row['width']}",
            str(row["tokens"]),
            f"{row['cycles']:.2f}",
            str(row["instructions"] or ""),
            f"{row['peak_cycles']:.2f}" if row["peak_cycles"] else "",
            f"{100 * row['peak_cycles'] / row['cycles']:.0f} %" if row["peak_cycles"] else "",
        ]
        for row in found["rows"]
    ]
    text = (
        "Cycles that InhibitorAttention takes for each pair of 64 bytes of a query and a key, all "
        f"of the operator included, at {found['clock_ghz']:.2f} GHz (measured). The bound: 64-byte "
        "instructions that the definition needs (absolute difference, its sum, minimum, its sum; "
        "AVX2: 10 of 32 bytes). The peak: how fast this processor runs just these from registers."
    )
    header = ["kernels", "heads", "T", "cycles a pair", "bound: instructions", "peak: cycles"]
    return "\n\n".join(["## Roofline", text, table([*header, "of the peak"], lines)])


def shares(results: Results) -> str:
    rows = results.get("shares", [])
    if not rows:
        return ""
    names = list(dict.fromkeys(name for row in rows for name in row["shares"]))
    lines = [[n, *(f"{100 * row['shares'].get(n, 0):.1f} %" for row in rows)] for n in names]
    lines.append(["all, ms", *(f"{row['ms']:.2f}" for row in rows)])
    header = ["", *(f"T = {row['tokens']}" for row in rows)]
    return "## Where inhibi's time goes\n\nOne thread.\n\n" + table(header, lines)


def cold_start(results: Results) -> str:
    found = results.get("cold_start")
    if not found:
        return ""
    lines = [[n, f"{x['seconds']:.2f}", f"{x['peak_mb']:.0f}"] for n, x in found.items()]
    parts = [
        "## Cold start and memory",
        "From process start to the first answer, files in the disk's cache; peak resident memory.",
        table(["", "seconds", "MB"], lines),
    ]
    for title, key in (
        ("Model files, MB", "model_mb"),
        ("Installed, with all required, MB", "installed_mb"),
    ):
        sizes = results[key]
        parts.append(table([title, ""], [[name, f"{size:.0f}"] for name, size in sizes.items()]))
    return "\n\n".join(parts)


def settings(results: Results) -> str:
    versions = ", ".join(f"{name} {v}" for name, v in results["versions"].items())
    lines = [
        [name, "; ".join(f"{key} {value}" for key, value in values.items())]
        for name, values in results.get("settings", {}).items()
    ]
    error = results.get("errors", {})
    lines = [[*line, f"{error[line[0]]:.2g}" if line[0] in error else "exact"] for line in lines]
    parts = ["## Settings", versions + "."]
    if lines:
        parts.append(table(["", "with one thread", "relative error of logits"], lines))
    return "\n\n".join(parts)
