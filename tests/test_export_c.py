"""`export-c`: the project's logits are the file's, bad input gets a status or one line."""

import ctypes
import errno
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from c_kernels import skip_without
from onnx import numpy_helper
from tiny import Ids, sentences, tiny_student, tokenizer_json
from tokenizers import Tokenizer

from benchmarks.mcu.students import build_student, make, run_sentences
from benchmarks.mcu.targets import CLANG, GCC, M4, M55, Target
from inhibi.engine.errors import InputError
from inhibi.engine.model import load
from inhibi.engine.session import open_session
from inhibi.export.c.cli import main
from inhibi.export.c.program import dot_product_scratch, inhibitor_scratch, product_scratch
from inhibi.export.c.project import project, write
from inhibi.export.c.sources import quoted
from inhibi.export.c.vocabulary import sources
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


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dot product", "odd sizes", "one layer, wide heads"])
@pytest.mark.parametrize("target", [M4, M55], ids=lambda target: target.name)
def test_boards_take_other_shapes(name: str, target: Target, tmp_path: Path) -> None:
    skip_without(target)
    path = save(tiny_student(**STUDENTS[name]), tmp_path / "student.onnx")
    plain = [Ids(s.ids, [0] * len(s.ids)) for s in sentences(*LENGTHS)]
    want = open_session(path, "numpy").logits(plain)
    program = build_student(target, make(path, tmp_path / "c"), tmp_path / "program")
    got, _ = run_sentences(program, tmp_path, [s.ids for s in plain], want.shape[1])
    assert np.array_equal(got, want)


def test_clang_takes_it_too(model: Path, tmp_path: Path) -> None:
    skip_without(CLANG)
    build_student(CLANG, make(model, tmp_path / "c"), tmp_path / "program")


@pytest.fixture(scope="module", params=["[SEP]", "</s>"])
def pairs(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """A student of pairs, and its project's own program, made by its Makefile."""
    skip_without(GCC)
    known = tokenizer_json().replace('"[SEP]"', f'"{request.param}"')
    tokenizer = Tokenizer.from_str(known)
    tokenizer.add_special_tokens([request.param])
    student = replace(tiny_student(labels=("no", "yes")), texts=2, tokenizer=tokenizer.to_str())
    path = save(student, tmp_path_factory.mktemp("pairs") / "pairs.onnx")
    folder = make(path, path.parent / "c")
    done = subprocess.run(["make", "-C", folder, "CC=gcc"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return path, folder / "student"


def test_its_program_answers_as_infer_does(pairs: tuple[Path, Path]) -> None:
    path, program = pairs
    lines = ["a great film\tit was not dull", "warm\t", "a [SEP] great </s> film\tof cold"]
    done = subprocess.run([program], input="\n".join(lines), capture_output=True, text=True)
    answers = [line.split("\t") for line in done.stdout.splitlines()]
    want = load(path).classify([tuple(line.split("\t")) for line in lines])
    assert [list(map(int, logits.split())) for logits, _ in answers] == [
        list(answer.logits) for answer in want
    ]
    assert [label for _, label in answers] == [answer.label for answer in want]


def test_its_program_wants_pairs(pairs: tuple[Path, Path]) -> None:
    done = subprocess.run([pairs[1]], input="no tab\n", capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("a pair of texts needs a tab between them\n")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """Of the student `model`."""
    skip_without(GCC)
    made = tmp_path_factory.mktemp("library")
    folder = make(save(tiny_student(), made / "student.onnx"), made / "c", max_tokens=12)
    sources = [str(f) for f in folder.glob("*.c") if f.name != "main.c"]
    shared = made / "model.so"
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
    for wrong in (2, 41):
        with pytest.raises(InputError, match="takes 3 to 40"):
            project(model, wrong)


def test_a_former_project_is_replaced_whole(tmp_path: Path) -> None:
    long, short = (project(save(tiny_student(layers=n), tmp_path / f"{n}.onnx")) for n in (3, 2))
    folder = tmp_path / "c"
    write(long, folder)
    (folder / "model.o").write_text("made by make")
    write(short, folder)
    assert {path.name for path in folder.iterdir()} == short.keys()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_nothing_of_others_is_lost(model: Path, tmp_path: Path) -> None:
    made = project(model)
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "model.h").write_text("/* my own */")
    with pytest.raises(InputError, match="holds files of something else"):
        write(made, folder)
    (folder / "model.h").unlink()
    write(made, folder)
    (folder / "app.c").write_text("int app;")
    with pytest.raises(InputError, match=r"app\.c is not of export-c"):
        write(made, folder)
    assert (folder / "app.c").read_text() == "int app;"
    with pytest.raises(InputError, match="is a file"):
        write(made, model)


def test_a_failing_disk_leaves_the_former_project(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, folder, replace = project(model), tmp_path / "c", os.replace
    write(made, folder)

    def fail(source: Path, to: Path) -> None:
        if Path(source).name == "new":
            raise OSError(errno.EIO, "Input/output error")
        replace(source, to)

    monkeypatch.setattr("inhibi.export.c.project.os.replace", fail)
    with pytest.raises(InputError, match="Input/output error"):
        write(made, folder)
    assert {path.name for path in folder.iterdir()} == made.keys()


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


ALLOWED = {"memcpy", "memset", "memcmp", "__stack_chk_fail", "_GLOBAL_OFFSET_TABLE_"}


def test_it_needs_no_library(model: Path, tmp_path: Path) -> None:
    """No heap, no stdio, no libm, and on a Cortex-M4 no floating point."""
    for target in (GCC, M4):
        skip_without(target)
        folder = make(model, tmp_path / target.name)
        options = [] if target is GCC else list(target.options)
        for source in folder.glob("*.c"):
            if source.name != "main.c":
                made = source.with_suffix(".o")
                command = [target.compiler, *options, "-O2", "-std=c99", "-c", str(source)]
                subprocess.run([*command, "-o", str(made)], check=True)
        objects = [str(made) for made in folder.glob("*.o")]
        nm = target.compiler.replace("gcc", "nm")
        listed = subprocess.run([nm, *objects], check=True, capture_output=True, text=True).stdout
        lines = [line.split() for line in listed.splitlines() if line and not line.endswith(":")]
        needed = {words[-1] for words in lines if words[-2] == "U"}
        defined = {words[-1] for words in lines if words[-2] != "U"}
        divisions = {"__aeabi_ldivmod", "__aeabi_uldivmod"}
        assert needed - defined <= ALLOWED | (divisions if target is M4 else set())


def test_cpp_can_call_it(model: Path, tmp_path: Path) -> None:
    skip_without(GCC)
    if not shutil.which("g++"):
        pytest.skip("no C++ compiler")
    folder = make(model, tmp_path / "c")
    subprocess.run(["make", "-C", folder, "CC=gcc", "libstudent.a"], check=True)
    source = tmp_path / "app.cpp"
    source.write_text(
        '#include "model.h"\n#include "tokenizer.h"\n'
        "int main() { return model_run(nullptr, 1, nullptr) - MODEL_NULL +"
        " tokenizer_encode(nullptr, 0, nullptr, 0, nullptr) - TOKENIZER_NULL; }"
    )
    library, app = folder / "libstudent.a", tmp_path / "app"
    subprocess.run(["g++", f"-I{folder}", source, library, "-o", app], check=True)
    assert subprocess.run([app]).returncode == 0


@pytest.mark.parametrize("rows", [65_535, 65_536])
def test_an_id_holds_the_number_of_words(rows: int) -> None:
    kind = "uint16_t" if rows < 65_536 else "uint32_t"
    assert f"typedef {kind} model_id;" in sources(tokenizer_json(), rows)["model_id.h"]


def _cut(model: onnx.ModelProto, name: str, values: np.ndarray) -> None:
    tensor = next(t for t in model.graph.initializer if t.name == name)
    tensor.CopyFrom(numpy_helper.from_array(values, name))


def _set(model: onnx.ModelProto, key: str, **values: Any) -> None:
    entry = next(e for e in model.metadata_props if e.key == f"inhibi.{key}")
    entry.value = json.dumps({**json.loads(entry.value), **values})


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        (lambda m: _set(m, "architecture", family="bert */ #error"), "strange name"),
        (lambda m: _set(m, "architecture", vocabulary=9999), "another graph"),
        (lambda m: _set(m, "architecture", max_tokens=9999), "fewer than max_tokens"),
        (lambda m: _set(m, "architecture", heads=0), "do not divide into 0 heads"),
        (lambda m: _cut(m, "embeddings.word", np.zeros((3, 32), np.int8)), "another graph"),
        (lambda m: _cut(m, "logits.bias", np.zeros(9, np.int32)), "must be int32"),
        (lambda m: _cut(m, "layer.0.qkv.shift", np.full(96, 200, np.int32)), "outside 1..46"),
        (lambda m: _cut(m, "layer.0.qkv.bias", np.full(96, 2**30, np.int32)), "can reach"),
        (lambda m: m.graph.initializer.pop(5), "lacks"),
        (lambda m: m.graph.node.pop(3), "another graph"),
    ],
)
def test_damaged_files_get_one_line(
    damage: Callable[[onnx.ModelProto], None], line: str, model: Path
) -> None:
    damaged = onnx.load(model)
    damage(damaged)
    onnx.save(damaged, model)
    with pytest.raises(InputError, match=line):
        project(model)
