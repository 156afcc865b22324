"""A bar on standard error for those who watch; nothing where nobody does."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

Advance = Callable[[int, float], None]


@contextmanager
def bar(title: str, what: str) -> Iterator[Advance]:
    """Gives a function that takes how many of `what` are done in all, and the share that this is,
    in [0, 1]."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn(f"{{task.fields[count]:,}} {what}"),
        TimeRemainingColumn(),
    )
    watched = sys.stderr.isatty()
    with Progress(*columns, console=Console(stderr=True), disable=not watched) as progress:
        task = progress.add_task(title, total=1.0, count=0)
        yield lambda count, share: progress.update(task, completed=share, count=count)
