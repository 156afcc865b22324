"""Training that cannot write says so in one line, and goes on to the same bits."""

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tiny_run import train_own
from tiny_teacher import save_teacher

from inhibi.engine.errors import InputError
from inhibi.kd.files import room_in

COLUMNS = ("--text-column", "review", "--label-column", "stars")


@contextmanager
def no_file_above(size: int) -> Iterator[None]:
    """Writing more is an error, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.slow
def test_a_run_goes_on_when_there_is_room(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The limit lets weights pass, but not the optimizer's state, which torch writes."""
    teacher = save_teacher(tmp_path / "teacher")
    table = tmp_path / "mine.csv"
    rows = (f"a good film {i},{i % 2}\n" for i in range(30))
    table.write_text("review,stars\n" + "".join(rows))
    with no_file_above(60_000), pytest.raises(SystemExit):
        train_own(table, teacher, tmp_path / "run", *COLUMNS)
    [line] = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error: ")]
    reason = os.strerror(errno.EFBIG)
    assert line.startswith(f"error: {tmp_path}/run: {reason}: its finished stages")
    train_own(table, teacher, tmp_path / "run", *COLUMNS, "--resume")
    train_own(table, teacher, tmp_path / "whole", *COLUMNS)
    weights = "qat/model.safetensors"
    assert (tmp_path / "run" / weights).read_bytes() == (tmp_path / "whole" / weights).read_bytes()


def test_errors_of_every_library_are_known(tmp_path: Path) -> None:
    tensor = torch.zeros(2**16)

    def plain() -> None:
        (tmp_path / "file").write_bytes(bytes(2**18))

    for write in (
        plain,
        lambda: torch.save(tensor, tmp_path / "torch"),
        lambda: save_file({"x": tensor}, tmp_path / "safetensors"),
    ):
        with (
            no_file_above(100_000),
            pytest.raises(InputError, match="make room"),
            room_in(tmp_path),
        ):
            write()


def test_other_errors_stay_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), room_in(tmp_path):
        _ = 1 / 0
    with pytest.raises(InputError, match=r"^mine$"), room_in(tmp_path):
        raise InputError("mine")
    assert not list(tmp_path.iterdir())


def test_only_a_full_folder_is_blamed_on_the_run(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="base64"), room_in(tmp_path / "none"):
        raise LookupError("base64")
    elsewhere = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(tmp_path / "cache"))
    (tmp_path / "run").mkdir()
    with pytest.raises(OSError, match="cache") as raised, room_in(tmp_path / "run"):
        raise elsewhere
    assert raised.value is elsewhere
    inside = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(tmp_path / "run" / "file"))
    with pytest.raises(InputError, match="make room"), room_in(tmp_path / "run"):
        raise inside


def test_a_folder_that_refuses_for_another_reason_is_not_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(dir: Path) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(ZeroDivisionError), room_in(tmp_path):
        _ = 1 / 0


def test_a_mistake_before_the_run_began_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.csv").write_text("review,stars\na,1\n")
    with pytest.raises(SystemExit) as end:
        train_own(
            tmp_path / "mine.csv", tmp_path, tmp_path / "run", *COLUMNS, "--encoding", "base64"
        )
    assert end.value.code == 2
    assert capsys.readouterr().err == "error: no encoding base64: name one such as latin-1\n"
