"""`export-c`: the project's logits are the file's, bad input gets a status or one line."""

import ctypes
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from c_kernels import skip_without
from tiny import Ids, sentences, tiny_student

from benchmarks.mcu.students import build_student, make, run_sentences
from benchmarks.mcu.targets import CLANG, GCC
from inhibi.engine.errors import InputError
from inhibi.engine.model import load
from inhibi.engine.session import open_session
from inhibi.export.c.cli import main
from inhibi.export.c.program import dot_product_scratch, inhibitor_scratch, product_scratch
from inhibi.export.c.project import project, write
from inhibi.export.c.sources import quoted
from inhibi.export.graph import build
from inhibi.export.graph import write as write_model
from inhibi.export.integers import IntegerStudent

LENGTHS = (1, 2, 3, 7, 8, 9, 16, 17, 31, 40)
STUDENTS: dict[str, dict[str, Any]] = {
    "inhibitor": {},
    "dot product": {"attention": "dot_product"},
    "unsigned, not centred": {"signed": False, "centred": False},
    "plain sum": {"n0": None},
    "no token types": {"token_types": False},
    "regression": {"labels": ("score",), "problem": "regression"},
    "three labels": {"labels": ("no", 'per"haps\\?', "ja, schön")},
    "mean": {"pooling": "mean"},
    "first token": {"pooling": "cls"},
    "odd sizes": {"hidden": 30, "heads": 3, "intermediate": 41},
    "one layer, wide heads": {"layers": 1, "hidden": 72, "heads": 1},
}


def save(student: IntegerStudent, path: Path) -> Path:
    write_model(build(student), path)
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save(tiny_student(), tmp_path / "student.onnx")


@pytest.mark.parametrize("name", STUDENTS)
def test_logits_are_the_files(name: str, tmp_path: Path) -> None:
    skip_without(GCC)
    path = save(tiny_student(**STUDENTS[name]), tmp_path / "student.onnx")
    plain = [Ids(s.ids, [0] * len(s.ids)) for s in sentences(*LENGTHS)]
    session = open_session(path, "numpy")
    embeds = session.metadata.problem == "embedding"
    want = session.vectors(plain) if embeds else session.logits(plain)
    program = build_student(GCC, make(path, tmp_path / "c"), tmp_path / "program", optimize="-O0")
    got, _ = run_sentences(program, tmp_path, [s.ids for s in plain], want.shape[1])
    assert np.array_equal(got, want)


def test_clang_takes_it_too(model: Path, tmp_path: Path) -> None:
    skip_without(CLANG)
    build_student(CLANG, make(model, tmp_path / "c"), tmp_path / "program")


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """The project's own program, of a student of pairs, made by its Makefile."""
    skip_without(GCC)
    pairs = tiny_student(labels=("no", "yes"))
    object.__setattr__(pairs, "texts", 2)
    folder = make(save(pairs, tmp_path / "pairs.onnx"), tmp_path / "c")
    done = subprocess.run(["make", "-C", folder, "CC=gcc"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "student"


def test_its_program_answers_as_infer_does(program: Path, tmp_path: Path) -> None:
    lines = ["a great film\tit was not dull", "warm\t", "no , a very bad movie\tof cold"]
    done = subprocess.run([program], input="\n".join(lines), capture_output=True, text=True)
    answers = [line.split("\t") for line in done.stdout.splitlines()]
    want = load(tmp_path / "pairs.onnx").classify([tuple(line.split("\t")) for line in lines])
    assert [list(map(int, logits.split())) for logits, _ in answers] == [
        list(answer.logits) for answer in want
    ]
    assert [label for _, label in answers] == [answer.label for answer in want]


def test_its_program_wants_pairs(program: Path) -> None:
    done = subprocess.run([program], input="no tab\n", capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("a pair of texts needs a tab between them\n")


@pytest.fixture
def library(model: Path, tmp_path: Path) -> ctypes.CDLL:
    skip_without(GCC)
    folder = make(model, tmp_path / "c", max_tokens=12)
    sources = [str(f) for f in folder.glob("*.c") if f.name != "main.c"]
    shared = tmp_path / "model.so"
    command = ["gcc", "-std=c99", "-shared", "-fPIC", *sources, "-o", str(shared)]
    subprocess.run(command, check=True)
    return ctypes.CDLL(str(shared))


@pytest.mark.parametrize(
    ("ids", "n", "status"),
    [
        ([2, 3], 2, 0),
        ([2] * 12, 12, 0),
        ([2] * 13, 13, -2),
        ([2], 0, -2),
        ([2], 2**64 - 1, -2),
        ([2, 65535, 3], 3, -3),
        (None, 2, -1),
    ],
)
def test_bad_ids_get_a_status(
    library: ctypes.CDLL, ids: list[int] | None, n: int, status: int
) -> None:
    given = ids and (ctypes.c_uint16 * len(ids))(*ids)
    logits = (ctypes.c_int32 * 4)(*[7] * 4)
    middle = ctypes.cast(ctypes.byref(logits, 4), ctypes.POINTER(ctypes.c_int32))
    assert library.model_run(given, ctypes.c_size_t(n), middle) == status
    assert logits[0] == logits[3] == 7
    assert (list(logits) == [7] * 4) == (status != 0)


def test_no_place_for_the_logits(library: ctypes.CDLL) -> None:
    assert library.model_run((ctypes.c_uint16 * 2)(2, 3), ctypes.c_size_t(2), None) == -1


def test_the_first_id_outside_the_vocabulary(library: ctypes.CDLL, model: Path) -> None:
    vocabulary = load(model).metadata.vocabulary
    logits = (ctypes.c_int32 * 2)()
    for last, status in ((vocabulary - 1, 0), (vocabulary, -3)):
        ids = (ctypes.c_uint16 * 1)(last)
        assert library.model_run(ids, ctypes.c_size_t(1), logits) == status


def test_scratch_is_as_the_header_says(tmp_path: Path) -> None:
    skip_without(GCC)
    kernels = Path(__file__).parents[1] / "export" / "c" / "kernels"
    sizes = [(1, 1), (5, 7), (16, 16), (33, 17), (64, 128)]
    names = {
        "PRODUCT_SCRATCH": product_scratch,
        "INHIBITOR_SCRATCH": inhibitor_scratch,
        "DOT_PRODUCT_SCRATCH": dot_product_scratch,
    }
    calls = "".join(f'printf("%d ", (int){name}({a}, {b}));' for name in names for a, b in sizes)
    (tmp_path / "model_id.h").write_text("typedef unsigned short model_id;\n")
    source = tmp_path / "scratch.c"
    source.write_text(f'#include <stdio.h>\n#include "kernels.h"\nint main(void) {{{calls}}}\n')
    program = tmp_path / "scratch"
    includes = [f"-I{kernels}", f"-I{tmp_path}"]
    subprocess.run(["gcc", *includes, str(source), "-o", str(program)], check=True)
    printed = subprocess.run([program], capture_output=True, text=True).stdout.split()
    assert [int(x) for x in printed] == [f(a, b) for f in names.values() for a, b in sizes]


def test_the_same_file_gives_the_same_project(model: Path) -> None:
    assert project(model) == project(model)


def test_fewer_tokens_need_less_memory(model: Path) -> None:
    def arena(max_tokens: int | None) -> int:
        source = project(model, max_tokens)["model.c"]
        return int(source.split("uint8_t bytes[")[1].split("]")[0])

    assert arena(8) < arena(None)
    for wrong in (0, 41):
        with pytest.raises(InputError, match="takes 1 to 40"):
            project(model, wrong)


def test_a_former_project_is_replaced_whole(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "c"
    write({"model.h": "", "old.c": ""}, folder)
    write(project(model), folder)
    assert not (folder / "old.c").exists()
    assert (folder / "model.c").exists()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_other_files_are_left_alone(model: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(InputError, match="holds files of something else"):
        write(project(model), tmp_path / "mine")
    with pytest.raises(InputError, match="is a file"):
        write(project(model), model)


@pytest.mark.parametrize(
    ("content", "line"),
    [(None, "no model file"), (b"", "no inhibi student"), (b"no model", "no ONNX file")],
)
def test_wrong_files_get_one_line(
    content: bytes | None, line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "student.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SystemExit) as stopped:
        main([str(path), "-o", str(tmp_path / "c")])
    errors = capsys.readouterr().err
    assert stopped.value.code == 2
    assert errors.count("\n") == 1
    assert line in errors
    assert not (tmp_path / "c").exists()


def test_the_command_says_what_it_made(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([str(model), "-o", str(tmp_path / "c"), "--max-tokens", "16"])
    assert capsys.readouterr().out.startswith(f"{tmp_path / 'c'}: ")
    assert "#define MODEL_MAX_TOKENS 16\n" in (tmp_path / "c" / "model.h").read_text()


def test_labels_as_c_strings() -> None:
    assert quoted('a"b') == '"a\\042b"'
    assert quoted("\\?") == '"\\134\\077"'
    assert quoted("ö1") == '"\\303\\2661"'
