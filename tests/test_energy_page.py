"""The report's page: complete in one file, and what a browser makes of it."""

import json
import re
import shutil
import subprocess
from html import escape, unescape
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from inhibi.eval.energy import charts, page
from inhibi.eval.energy.cli import main
from inhibi.eval.energy.comparison import compare
from inhibi.eval.energy.memory import WEIGHTS_FROM_DRAM
from inhibi.eval.energy.variants import VARIANTS

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")

DATASET = {
    "task": "sst2",
    "examples": 872,
    "tokens": {"least": 4, "median": 24, "mean": 25.2, "most": 55},
    "models": [
        {
            "name": f"<{variant.name}>",
            "variant": variant.name,
            "accuracy": 0.88 + 0.004 * i,
            "seeds": 3,
            "per_sentence": {"45nm": 2e9 * (i + 1), "7nm": 1e9 * (i + 1)},
            "per_correct_answer": {"45nm": 2.2e9 * (i + 1), "7nm": None},
        }
        for i, variant in enumerate(VARIANTS)
    ],
}
MEASURED = {
    **{"available": True, "tokens": 16, "repeats": 7, "seconds": 2.0, "idle_watts": 4.5},
    "joules": {"tiny.onnx, this engine": {"median": 0.1, "least": 0.09, "most": 0.2}},
}


@pytest.fixture(scope="module")
def found(tiny_model: Path) -> dict[str, Any]:
    made = compare(tiny_model, 16, ["45nm", "7nm"], WEIGHTS_FROM_DRAM)
    return made | {"dataset": DATASET, "measured": MEASURED}


@pytest.fixture(scope="module")
def html(found: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "energy.html"
    path.write_text(page.render(found), "utf-8")
    return path


def test_the_page_is_complete_in_itself(html: Path) -> None:
    text = html.read_text("utf-8")
    assert not re.findall(r"""(?:src|href)\s*=\s*["'](?!data:)|@import|url\(|<script""", text)
    assert "default-src 'none'" in text
    assert "&lt;integer inhibitor&gt;" in text  # names are shown, not run
    assert "<integer inhibitor>" not in text


def test_the_page_has_every_figure_and_its_source(html: Path, found: dict[str, Any]) -> None:
    text = html.read_text("utf-8").replace("&#39;", "'")
    assumptions = text[text.index('id="assumptions"') :]
    for technology in found["energy"].values():
        for figure in technology["figures"].values():
            assert figure["source"] in assumptions


def test_the_honest_comparison_stands_first(html: Path) -> None:
    text = html.read_text("utf-8")
    first = text[: text.index('id="energies"')]
    assert first.index("whole model") < first.index("attention block")
    assert first.index("attention block") < first.index("attention core")
    assert "fp32" not in first
    assert text.index('id="energies"') < text.index('id="measured"')


def test_a_report_without_data_and_measurement(tiny_model: Path) -> None:
    text = page.render(compare(tiny_model, 16, ["45nm"], WEIGHTS_FROM_DRAM))
    assert 'id="accuracy"' not in text
    assert 'id="measured"' not in text


def test_the_command_writes_the_page(tiny_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    main(["--model", str(tiny_model), "--html", str(path), "--json"])
    assert path.read_text("utf-8").startswith("<!doctype html>")
    assert list(tmp_path.iterdir()) == [path]


def test_names_of_points_do_not_cover_each_other() -> None:
    series = [charts.Series(f"model {i}", [(1.0 + i % 2 * 9, 0.9)], 0) for i in range(6)]
    axes = charts.x_axis("", [1, 10], None, str), charts.share_axis("", [0.8, 1], str)
    drawn = charts.scatter("", *axes, series)
    names = re.findall(r'<text class="name" x="(.+?)" y="(.+?)"', drawn)
    assert len(set(names)) == 6
    for side in {x for x, _ in names}:
        heights = sorted(float(y) for x, y in names if x == side)
        assert all(b - a >= charts.LINE for a, b in pairwise(heights))


@pytest.mark.parametrize(("low", "high"), [(1.0, 1.0), (3.0, 2500.0), (0.02, 0.05)])
def test_axes_hold_their_values(low: float, high: float) -> None:
    for axis in (
        charts.energy_axis("", [low, high], str),
        charts.x_axis("", [low, high], None, str),
        charts.share_axis("", [low / 1e4, high / 1e4], str),
    ):
        values = [low / 1e4, high / 1e4] if not axis.logarithmic else [low, high]
        start, end = sorted((axis.start, axis.end))
        assert all(start <= axis.place(value) <= end for value in values)
        assert len(axis.ticks) >= 2
        assert all(start - 1e-6 <= axis.place(tick) <= end + 1e-6 for tick in axis.ticks)


# The page in a frame of a width, what is asked of it, and the answer as text.
FRAME = """<!doctype html><iframe id="page" style="width: {width}px; height: 800px; border: 0"
srcdoc="{page}"></iframe><pre id="found"></pre><script>
onload = () => {{
  const page = document.getElementById("page"), inside = page.contentDocument;
  inside.querySelectorAll("details").forEach(e => {{ e.open = true; }});
  const all = selector => [...inside.querySelectorAll(selector)];
  const style = page.contentWindow.getComputedStyle(inside.body);
  document.getElementById("found").textContent = JSON.stringify({{
    boxes: all("svg, table, .bars").map(e => {{
      const box = e.getBoundingClientRect();
      return [e.tagName, box.width, box.height];
    }}),
    lines: all("#lengths .line").length,
    stroke: page.contentWindow.getComputedStyle(all(".line.s1")[0]).stroke,
    requests: page.contentWindow.performance.getEntriesByType("resource").map(e => e.name),
    wide: inside.documentElement.scrollWidth,
    text: style.color,
    back: style.backgroundColor,
  }});
}};
</script>"""


def in_browser(html: Path, width: int, scheme: str) -> dict[str, Any]:
    """What headless Chromium makes of the page."""
    if BROWSER is None:
        pytest.skip("no Chromium on this machine")
    frame = html.with_name(f"{scheme}-{width}.html")
    frame.write_text(FRAME.format(width=width, page=escape(html.read_text("utf-8"))), "utf-8")
    command = [
        *(BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"),
        f"--user-data-dir={html.parent / 'profile'}",
        f"--blink-settings=preferredColorScheme={('dark', 'light').index(scheme)}",
        frame.as_uri(),
    ]
    dom = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout
    answer = re.search(r'<pre id="found">(.+?)</pre>', dom, re.DOTALL)
    assert answer, dom[-500:]
    return json.loads(unescape(answer[1]))


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_shows_it_and_asks_nobody(html: Path, width: int, scheme: str) -> None:
    seen = in_browser(html, width, scheme)
    assert seen["requests"] == []
    names = [name for name, *_ in seen["boxes"]]
    assert names.count("svg") == 2 * (2 + 1)  # two sweeps and accuracy, for two technologies
    assert names.count("TABLE") > 10
    assert min(min(wide, high) for _, wide, high in seen["boxes"]) > 20
    assert seen["wide"] <= width  # tables scroll by themselves, the page never sideways
    assert seen["lines"] == 2 * 2 * len(VARIANTS)
    assert (brightness(seen["text"]) > brightness(seen["back"])) == (scheme == "dark")
    assert brightness(seen["stroke"]) != brightness(seen["text"])


def brightness(colour: str) -> int:
    return sum(map(int, re.findall(r"\d+", colour)[:3]))
