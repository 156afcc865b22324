"""The bar that `infer` shows of a table."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pyarrow import parquet, table

from inhibi.engine.rows import read_rows

ROWS = 3000


@pytest.mark.parametrize("name", ["in.csv", "in.parquet"])
def test_the_share_that_is_read_grows_to_all(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if name.endswith("csv"):
        path.write_text("text\n" + "a line of some words\n" * ROWS)
    else:
        parquet.write_table(table({"text": ["a line of some words"] * ROWS}), path)
    with read_rows(path, "utf-8") as (_, rows, share):
        shares = [share() for _ in rows]
    assert 0 < shares[0] < 0.5
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_it_is_shown_to_a_terminal_alone(tmp_path: Path, tiny_model: Path) -> None:
    (tmp_path / "in.csv").write_text("text\n" + "good\n" * 40)
    code = "from inhibi.engine.infer import main; main()"
    command = [sys.executable, "-c", code, "--model", str(tiny_model)]
    command += ["--file", str(tmp_path / "in.csv"), "--text-column", "text", "--out"]
    piped = subprocess.run([*command, str(tmp_path / "1.csv")], capture_output=True, check=True)
    assert piped.stdout == b""
    assert piped.stderr.decode().strip() == f"{tmp_path / '1.csv'}: 40 rows; 0 without a text"
    ours, theirs = pty.openpty()
    wide = os.environ | {"COLUMNS": "120", "TERM": "xterm"}
    subprocess.run([*command, str(tmp_path / "2.csv")], stderr=theirs, env=wide, check=True)
    os.close(theirs)
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", read_all(ours))
    assert "in.csv" in shown
    assert "100%" in shown
    assert "40 rows" in shown
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "2.csv").read_bytes()


def read_all(terminal: int) -> str:
    """What was written to a terminal whose other end is closed."""
    parts = []
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # Linux's way to say that nobody writes any more
            part = b""
        if not part:
            os.close(terminal)
            return b"".join(parts).decode()
        parts.append(part)
