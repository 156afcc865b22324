"""Milliseconds of the whole model over its tokens, one line a model: docs/speed.svg."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.peers.ours import OURS


def plot(results: Mapping[str, Any], path: Path) -> None:
    """One sentence, one thread; both axes logarithmic. The same results give the same bytes."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    matplotlib.rcParams["svg.hashsalt"] = "inhibi"
    rows = [row for row in results["model"] if row["threads"] == 1 and row["batch"] == 1]
    tokens = [row["tokens"] for row in rows]
    figure, axes = pyplot.subplots(figsize=(7.5, 5), layout="constrained")
    for name in rows[0]["models"]:
        ours = name == OURS
        axes.plot(
            tokens,
            [row["models"][name]["ms"] for row in rows],
            label=name,
            marker="o",
            linewidth=2.5 if ours else 1,
            color="black" if ours else None,
            zorder=3 if ours else 2,
        )
    axes.set(xscale="log", yscale="log", xlabel="tokens", ylabel="ms, 1 thread, 1 sentence")
    axes.set_xticks(tokens, [str(t) for t in tokens], minor=False)
    axes.set_yticks([2, 5, 10, 20, 50, 100, 200])
    axes.yaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
