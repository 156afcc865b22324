"""ONNX Runtime on the native operators: equal bits, whatever a file or an environment holds."""

import ctypes
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from opened import opened
from test_engines import run_packed
from tiny import sentences, tiny_student

import inhibi.engine
from inhibi.engine import native_library
from inhibi.engine.errors import InputError
from inhibi.engine.model import packaged
from inhibi.engine.native_library import Library
from inhibi.export.graph import build, write

HEADER = Path(__file__).parents[1] / "engine" / "native" / "onnxruntime_api.h"
ISAS = ("avx512vnni", "avx512bw", "avx2", "dotprod", "neon", "scalar")


@pytest.fixture(scope="module")
def isas(library: Library) -> list[str]:
    names = ctypes.CDLL(str(library.path)).inhibi_isas
    names.restype = ctypes.c_char_p
    return names().decode().split()


@pytest.fixture(scope="module")
def students(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("students")
    for attention in ("inhibitor", "dot_product"):
        write(build(tiny_student(attention=attention)), folder / attention)
    return {path.name: path for path in folder.iterdir()}


# The C interface.


def test_onnxruntime_has_the_entries_where_the_header_says() -> None:
    """Indices of the header, tried on the functions that can be called without a session."""
    asserted = re.findall(r"static_assert\(INHIBI_INDEX\((\w+)\) == (\d+)", HEADER.read_text())
    index = {name: int(number) for name, number in asserted}
    version = int(re.search(r"ort_api_version = (\d+);", HEADER.read_text())[1])  # type: ignore[index]
    [path] = (Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.[sd]*")
    base = ctypes.CDLL(str(path)).OrtGetApiBase
    base.restype = ctypes.POINTER(ctypes.c_void_p)
    get_api = ctypes.CFUNCTYPE(ctypes.POINTER(ctypes.c_void_p), ctypes.c_uint32)(base()[0])
    api = get_api(version)
    assert api, f"onnxruntime {onnxruntime.__version__} does not offer API version {version}"

    def entry(name: str, result: Any, *arguments: Any) -> Any:
        return ctypes.CFUNCTYPE(result, *arguments)(api[index[name]])

    pointer, text = ctypes.c_void_p, ctypes.c_char_p
    status = entry("CreateStatus", pointer, ctypes.c_int, text)(2, b"a message")
    assert entry("GetErrorCode", ctypes.c_int, pointer)(status) == 2
    assert entry("GetErrorMessage", text, pointer)(status) == b"a message"
    entry("ReleaseStatus", None, pointer)(status)
    domain = pointer()
    make = entry("CreateCustomOpDomain", pointer, text, ctypes.POINTER(pointer))
    assert make(b"a.domain", ctypes.byref(domain)) is None
    assert domain.value
    entry("ReleaseCustomOpDomain", None, pointer)(domain)


def test_an_old_onnxruntime_is_told(library: Library) -> None:
    messages: list[bytes] = []
    Create = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p)
    create = Create(lambda code, message: messages.append(message) or 77)
    table = (ctypes.c_void_p * 200)(ctypes.cast(create, ctypes.c_void_p))
    Get = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_uint32)
    get = Get(lambda version: ctypes.addressof(table) if version <= 16 else None)
    base = (ctypes.c_void_p * 2)(ctypes.cast(get, ctypes.c_void_p))
    register = ctypes.CDLL(str(library.path)).RegisterCustomOps
    register.restype = ctypes.c_void_p
    assert register(None, ctypes.byref(base)) == 77
    assert messages == [b"inhibi's operators need onnxruntime 1.17"]


# Equal bits.


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("attention", ["inhibitor", "dot_product"])
def test_mixed_lengths_equal_numpy(
    library: Library, students: dict[str, Path], attention: str, threads: int
) -> None:
    session = opened(students[attention], "ort", threads)
    assert session.runs_on == f"ort with native operators ({library.isa})"
    batch = sentences(*np.random.default_rng(0).integers(1, 41, 150).tolist())
    logits = opened(students[attention], "numpy").logits(batch)
    assert len(np.unique(logits)) > 200
    assert np.array_equal(session.logits(batch), logits)
    assert np.array_equal(run_packed(session, batch), logits)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("attention", ["inhibitor", "dot_product"])
def test_every_instruction_set_equals_numpy(
    isas: list[str], students: dict[str, Path], attention: str, isa: str
) -> None:
    if isa not in isas:
        with pytest.raises(InputError, match=f"INHIBI_ISA={isa} is not available here: choose one"):
            opened(students[attention], "ort", isa=isa)
        return
    session = opened(students[attention], "ort", isa=isa)
    assert session.runs_on.endswith(f"({isa})")
    batch = sentences(1, 16, 17, 40)
    for name, ours in opened(students[attention], "numpy").trace(batch[3]):
        assert np.array_equal(dict(session.trace(batch[3]))[name], ours), name
    assert np.array_equal(session.logits(batch), opened(students[attention], "numpy").logits(batch))


@pytest.mark.parametrize("threads", [1, 2])
def test_the_packaged_student_equals_numpy(library: Library, threads: int) -> None:
    batch = sentences(3, 1, 70, 12)
    logits = opened(packaged(), "numpy").logits(batch)
    assert np.array_equal(opened(packaged(), "ort", threads).logits(batch), logits)


def test_a_file_with_a_wrong_shift_is_an_input_error(library: Library, tmp_path: Path) -> None:
    from onnx import numpy_helper

    student = build(tiny_student())
    [shift] = (x for x in student.graph.initializer if x.name == "layer.1.qkv.shift")
    shift.CopyFrom(numpy_helper.from_array(np.full(96, 99, np.int32), shift.name))
    write(student, tmp_path / "wrong.onnx")
    session = opened(tmp_path / "wrong.onnx", "ort")
    with pytest.raises(InputError, match=r"layer\.1\.qkv.*shift has a value outside 1\.\.46"):
        session.logits(sentences(3))


# The environment.


def test_an_unknown_instruction_set_is_one_line(
    library: Library, students: dict[str, Path]
) -> None:
    code = "from inhibi.engine.infer import main; main()"
    ran = subprocess.run(
        [sys.executable, "-c", code, "good film", "--model", str(students["inhibitor"])],
        env=os.environ | {"INHIBI_ISA": "nonsense", "INHIBI_NATIVE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (2, "")
    [line] = ran.stderr.splitlines()
    assert "INHIBI_ISA=nonsense is not available here: choose one of " in line
    assert line.endswith(", scalar")


def test_registering_refuses_an_unknown_instruction_set(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INHIBI_ISA", "nonsense")
    with pytest.raises(Exception, match=r"INHIBI_ISA=nonsense .* choose .*scalar"):
        onnxruntime.SessionOptions().register_custom_ops_library(str(library.path))


def runs_on_bodies(path: Path, reason: str) -> None:
    session = opened(path, "ort")
    assert re.fullmatch(
        rf"ort with standard operators, not the native library \({reason}\)", session.runs_on
    )
    batch = sentences(1, 7)
    assert np.array_equal(session.logits(batch), opened(path, "numpy").logits(batch))


def test_without_a_library_the_bodies_run(
    students: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inhibi.engine, "__path__", [str(tmp_path)])
    runs_on_bodies(
        students["inhibitor"],
        "inhibi was installed without its native library: pip install -v says why",
    )


@pytest.mark.parametrize("content", [b"", b"garbage", b"\x7fELF" + bytes(5000)])
def test_a_damaged_library_is_passed_over(
    students: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    (tmp_path / native_library.NAME).write_bytes(content)
    monkeypatch.setattr(inhibi.engine, "__path__", [str(tmp_path)])
    runs_on_bodies(students["inhibitor"], f"{tmp_path}/{native_library.NAME} cannot be loaded: .*")


def test_another_library_of_that_name_is_passed_over(
    students: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import _ctypes

    shutil.copy(_ctypes.__file__, tmp_path / native_library.NAME)
    monkeypatch.setattr(inhibi.engine, "__path__", [str(tmp_path)])
    runs_on_bodies(students["inhibitor"], ".* cannot be loaded: .*inhibi_kernels.*")


def test_a_library_that_onnxruntime_refuses_is_passed_over(
    students: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = Library(tmp_path / "absent.so", "scalar", True)
    monkeypatch.setattr(native_library, "find", lambda: absent)
    runs_on_bodies(students["inhibitor"], r"onnxruntime [0-9.]+ refuses it \(.*absent.*\)")


def test_head_widths_that_are_no_multiple_of_8_run_on_bodies(
    library: Library, tmp_path: Path
) -> None:
    write(build(tiny_student(hidden=24, heads=12)), tmp_path / "narrow.onnx")
    runs_on_bodies(tmp_path / "narrow.onnx", "heads of 2 channels are no multiple of 8")


@pytest.mark.parametrize(("saturates", "option"), [(True, "1"), (False, None)])
def test_products_are_made_safe_where_they_might_saturate(
    library: Library,
    students: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    saturates: bool,
    option: str | None,
) -> None:
    here = Library(library.path, library.isa, saturates)
    monkeypatch.setattr(native_library, "find", lambda: here)
    options = opened(students["inhibitor"], "ort")._engine._options  # type: ignore[attr-defined]
    if option:
        assert options.get_session_config_entry("session.x64quantprecision") == option
    else:
        with pytest.raises(Exception, match="x64quantprecision"):
            options.get_session_config_entry("session.x64quantprecision")
