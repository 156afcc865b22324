"""The section "Scores" of a packaged student's card, from its JSON.

python -m benchmarks.run_result RUN -o engine/models/sst2.json --export exported
cp exported/qat.onnx engine/models/sst2.onnx
python -m benchmarks.model_card engine/models/sst2.json
"""

import argparse
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.markdown import table
from inhibi.engine.errors import InputError, command

SECTION = re.compile(r"^## Scores\n.*?(?=^## )", re.MULTILINE | re.DOTALL)
MODELS = {
    "teacher": "teacher, float",
    "float": "student, float",
    "unquantized": "the integers' weights in float",
    "integer": "**student, integers (this file)**",
}


@command
def main(argv: list[str] | None = None) -> None:
    """Run `python -m benchmarks.model_card`."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.model_card",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("scores", type=Path, metavar="JSON", help="beside it stands the card, .md")
    scores: Path = parser.parse_args(argv).scores
    card = scores.with_suffix(".md")
    text = card.read_text("utf-8")
    if not SECTION.search(text):
        raise InputError(f"{card} has no section '## Scores' with another behind it")
    found = section(json.loads(scores.read_text("utf-8")))
    card.write_text(SECTION.sub(lambda _: found + "\n\n", text), "utf-8")


def section(run: Mapping[str, Any]) -> str:
    """The section's Markdown from a run's JSON."""
    sets = list(run["references"])
    metrics = list(run["models"]["integer"]["sets"][sets[0]]["metrics"])
    rows = [
        [
            title,
            *(f"{100 * model['sets'][sets[0]]['metrics'][name]:.1f} %" for name in metrics),
            *(_first(model["sets"].get(name)) for name in sets[1:]),
        ]
        for key, title in MODELS.items()
        if (model := run["models"].get(key))
    ]
    integer, fake = run["models"]["integer"], run["fake_quantization"]
    counts = [f"{len(packed.split()):,}" for packed in run["references"].values()]
    parts = [
        "## Scores",
        f"File: {integer['bytes']:,} bytes, SHA-256\n`{integer['sha256']}`.",
        f"{run['task']}, split {sets[0]}, {counts[0]} examples. Joined: {counts[-1]} texts each, "
        "sentences of one label joined to\nso many tokens, give or take a tenth. Every answer "
        "stands in the JSON beside this file.",
        table(["", *metrics, *sets[1:]], rows),
        f"Median difference of logits between integers and fake quantization in training: "
        f"{100 * fake['median_difference']:.1f} %\nof the logits' standard deviation.",
    ]
    return "\n\n".join(parts)


def _first(found: Mapping[str, Any] | None) -> str:
    """The first metric in percent."""
    return f"{100 * next(iter(found['metrics'].values())):.1f} %" if found else ""


if __name__ == "__main__":
    main()
