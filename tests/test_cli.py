"""The programs as a shell starts them: what they import, their help, pipes and signals."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import inhibi.engine
from inhibi.engine.cli import COMMANDS, main
from inhibi.engine.errors import command

HEAVY = ["torch", "transformers", "brevitas", "datasets", "ray", "pyarrow"]


def python(code: str, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-W", "error", "-c", code, *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, timeout=120, check=False)


def imported(code: str, *arguments: str) -> set[str]:
    """The modules that a new process has imported after running `code`."""
    ran = python(f"import sys\n{code}\nprint(*sys.modules, file=sys.stderr)", *arguments)
    assert ran.returncode == 0, ran.stderr.decode()
    return set(ran.stderr.decode().split())


def test_importing_the_engine_is_cheap() -> None:
    found = imported("import inhibi.engine")
    assert not {*HEAVY, "numpy", "onnx", "onnxruntime", "tokenizers"} & found


def test_every_part_of_the_engine_does_without_the_extras() -> None:
    folder = Path(str(inhibi.engine.__file__)).parent
    names = [path.stem for path in folder.glob("*.py") if path.stem != "__init__"]
    assert "session" in names
    found = imported("\n".join(f"import inhibi.engine.{name}" for name in names))
    assert not set(HEAVY) & found


def test_infer_imports_neither_training_nor_onnx(tiny_model: Path) -> None:
    code = "from inhibi.engine.infer import main\nmain(sys.argv[1:])"
    found = imported(code, "good film", "--model", str(tiny_model))
    assert "onnxruntime" in found
    assert not {*HEAVY, "onnx"} & found


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_help_and_version_import_nothing_heavy(arguments: list[str]) -> None:
    code = """
from inhibi.engine.infer import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    assert end.code == 0
"""
    found = imported(code, *arguments)
    assert not {*HEAVY, "numpy", "onnx", "onnxruntime", "tokenizers"} & found


def output(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main(list(arguments))
    return int(end.value.code or 0), *capsys.readouterr()


def test_inhibi_lists_its_commands(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = output(capsys, "--help")
    assert status == 0
    assert all(f"  {name} " in out for name in COMMANDS)
    assert output(capsys)[:2] == (status, out)


@pytest.mark.parametrize("before", [(), ("infer",)])
def test_version(capsys: pytest.CaptureFixture[str], before: tuple[str, ...]) -> None:
    assert output(capsys, *before, "--version") == (0, f"inhibi {inhibi.__version__}\n", "")


def test_inhibi_runs_a_command(capsys: pytest.CaptureFixture[str], tiny_model: Path) -> None:
    main(["infer", "good film", "--model", str(tiny_model)])
    assert capsys.readouterr().out.endswith("\tgood film\n")
    status, out, _ = output(capsys, "infer", "--help")
    assert status == 0
    assert "usage: infer" in out


@pytest.mark.parametrize(("name", "message"), [("guess", "unknown command"), ("--x", "--x")])
def test_inhibi_knows_its_commands(
    capsys: pytest.CaptureFixture[str], name: str, message: str
) -> None:
    status, out, err = output(capsys, name)
    assert (status, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1


def test_a_missing_extra_is_named(tmp_path: Path) -> None:
    code = """
import sys
sys.modules["torch"] = None
from inhibi.engine.infer import main
main(sys.argv[1:])
"""
    ran = python(code, "--fp32", "--model", str(tmp_path), "good film")
    [line] = ran.stderr.decode().splitlines()
    assert ran.returncode == 2
    assert "pip install 'inhibi[train]'" in line


def test_answers_come_while_the_input_is_open(tiny_model: Path) -> None:
    command = [sys.executable, "-c", "from inhibi.engine.infer import main; main()"]
    with subprocess.Popen(
        [*command, "-", "--model", str(tiny_model)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin
        assert process.stdout
        for text in (b"good film", b"bad film"):
            process.stdin.write(text + b"\n")
            process.stdin.flush()
            assert process.stdout.readline().rstrip().endswith(b"\t" + text)
        process.stdin.close()
        assert process.wait(60) == 0


def test_a_reader_that_goes_away_is_no_error(tiny_model: Path) -> None:
    command = [sys.executable, "-c", "from inhibi.engine.infer import main; main()"]
    with subprocess.Popen(
        [*command, "-", "--model", str(tiny_model)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout
        process.stdout.close()
        _, err = process.communicate(b"good film\n" * 100)
        assert process.returncode == 141
        assert err == b""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is full")
@pytest.mark.parametrize("arguments", [["good film"], ["--help"]])
def test_output_that_cannot_be_written_is_one_line(tiny_model: Path, arguments: list[str]) -> None:
    command = [sys.executable, "-c", "from inhibi.engine.infer import main; main()", *arguments]
    with open("/dev/full", "wb") as full:
        ran = subprocess.run(
            [*command, "--model", str(tiny_model)],
            stdout=full,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": ""},
            timeout=120,
            check=False,
        )
    assert ran.returncode == 2
    assert ran.stderr == b"error: standard output: No space left on device\n"


def test_a_file_that_cannot_be_opened_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        command(lambda: open("/nowhere/at all").close())()
    assert end.value.code == 2
    assert capsys.readouterr().err == "error: /nowhere/at all: No such file or directory\n"


def test_bytes_that_are_no_text_survive_the_shell(tiny_model: Path) -> None:
    code = "from inhibi.engine.infer import main; main()"
    command = [sys.executable, "-c", code, "--model", str(tiny_model), b"\xff", "très".encode()]
    ran = subprocess.run(command, capture_output=True, timeout=120, check=False)
    assert ran.returncode == 1
    assert ran.stderr.decode() == "error: text 1 is not valid UTF-8 at byte 1\n"
    assert ran.stdout.decode().splitlines()[1].endswith("\ttrès")


def test_output_is_utf_8_whatever_the_locale_says(tiny_model: Path) -> None:
    code = "from inhibi.engine.infer import main; main()"
    ran = subprocess.run(
        [sys.executable, "-c", code, "--model", str(tiny_model), "-", "--json"],
        input="好 😀\n".encode(),
        env={"PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr.decode()
    assert "好 😀" in ran.stdout.decode()
