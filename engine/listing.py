"""`inhibi models`: the models at hand, packaged and downloaded."""

import json
from importlib.metadata import metadata
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from inhibi.engine import downloads
from inhibi.engine.catalog import students
from inhibi.engine.cli import Parser
from inhibi.engine.downloads import Download
from inhibi.engine.errors import command, say
from inhibi.engine.files import sha256

EXAMPLES = """\
examples:
  inhibi models
  inhibi models --json
  inhibi models --forget owner/repo     what the hub gives next under this name is accepted

Scores are the integers' on the first of the sets in --json; metrics are fractions from -1 to 1.
"""


@command
def main(argv: list[str] | None = None) -> None:
    """Run `inhibi models`."""
    parser = Parser("inhibi models", "List the models at hand: packaged and downloaded.", EXAMPLES)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--json", action="store_true", help="one JSON list, with whole hashes")
    what.add_argument("--forget", metavar="NAME", help="drop a downloaded model's recorded hash")
    chosen = parser.parse_args(argv)
    if chosen.forget:
        downloads.forget(chosen.forget)
        say(f"{chosen.forget} is forgotten: its next download is accepted and recorded")
    elif chosen.json:
        print(json.dumps(models()))
    else:
        _show(models())


def models() -> list[dict[str, Any]]:
    """The packaged models, then the downloaded ones, by name. bytes: None where the hub's cache
    was emptied; scores: metrics by set, none where unknown."""
    packaged = [_packaged(name, path) for name, path in students().items()]
    return packaged + [_downloaded(name, each) for name, each in downloads.read().items()]


def _packaged(name: str, path: Path) -> dict[str, Any]:
    run = json.loads(path.with_suffix(".json").read_bytes())
    sets = run["models"]["integer"]["sets"]
    return {
        "name": name,
        "source": "packaged",
        "task": run["task"],
        "scores": {split: found["metrics"] for split, found in sets.items()},
        "bytes": path.stat().st_size,
        "licence": metadata("inhibi")["License-Expression"],
        "sha256": sha256(path),
        "path": str(path),
    }


def _downloaded(name: str, made: Download) -> dict[str, Any]:
    path = Path(made.path)
    return {
        "name": name,
        "source": "hub",
        "task": made.task,
        "scores": {},
        "bytes": path.stat().st_size if path.is_file() else None,
        "licence": made.licence,
        "sha256": made.sha256,
        "path": made.path,
        "file": made.file,
        "commit": made.commit,
    }


def _show(found: list[dict[str, Any]]) -> None:
    console = Console(highlight=False, markup=False, emoji=False)
    table = Table(box=None, pad_edge=False)
    for name in ("model", "task", "scores", "size", "licence", "SHA-256"):
        table.add_column(name, overflow="fold", justify="right" if name == "size" else "left")
    for model in found:
        table.add_row(
            *(model["name"], model["task"], _scores(model["scores"]), _size(model["bytes"])),
            *(model["licence"], model["sha256"][:12]),
        )
    console.print(table)
    console.print()
    for model in found:
        console.print(f"{model['name']}: {model['path']}", soft_wrap=True)


def _scores(scores: dict[str, dict[str, float]]) -> str:
    first = next(iter(scores.values()), {})
    shown = ", ".join(f"{name} {100 * value:.1f} %" for name, value in first.items())
    return shown or "unknown"


def _size(size: int | None) -> str:
    return "not on disk" if size is None else f"{size / 1e6:.1f} MB"
