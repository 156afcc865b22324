"""A file that is no student, or no whole one, gives one clear line."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from opened import ENGINES, opened

from inhibi.engine.errors import InputError
from inhibi.engine.session import open_session

Spoil = Callable[[bytes], bytes]  # from the bytes of a good file


def truncated(share: float) -> Spoil:
    return lambda good: good[: int(len(good) * share)]


def version(number: str) -> Spoil:
    def spoil(good: bytes) -> bytes:
        model = onnx.load_from_string(good)
        next(p for p in model.metadata_props if p.key == "inhibi.format_version").value = number
        return model.SerializeToString()

    return spoil


def incomplete(good: bytes) -> bytes:
    model = onnx.load_from_string(good)
    kept = [p for p in model.metadata_props if p.key != "inhibi.labels"]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    return model.SerializeToString()


def without_bodies(good: bytes) -> bytes:
    model = onnx.load_from_string(good)
    del model.functions[:]
    return model.SerializeToString()


def foreign(good: bytes) -> bytes:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [value], [out])
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()


BAD_FILES: dict[str, tuple[Spoil, str]] = {
    "empty": (lambda good: b"", "."),
    "a PDF": (lambda good: b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n" * 50, "no ONNX"),
    "text": (lambda good: b"A good film.\n" * 1000, "no ONNX"),
    "zeros": (lambda good: bytes(4096), "no ONNX"),
    "newer": (version("4"), "format version 4, this inhibi reads 3: upgrade inhibi"),
    "older": (version("2"), "format version 2, this inhibi reads 3: export it again"),
    "incomplete": (incomplete, "metadata are damaged or incomplete .'labels'"),
    "foreign": (foreign, "no inhibi student"),
    **{f"{share:.0%}": (truncated(share), ".") for share in (0.001, 0.1, 0.5, 0.8, 0.9, 0.99)},
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("spoil", "message"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_gives_one_line(
    tiny_model: Path, tmp_path: Path, spoil: Spoil, message: str, engine: str
) -> None:
    path = tmp_path / "bad.onnx"
    path.write_bytes(spoil(tiny_model.read_bytes()))
    with pytest.raises(InputError, match=message) as caught:
        opened(path, engine)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("engine", ["numpy", "bodies"])
def test_a_file_without_bodies_needs_the_native_operators(
    tiny_model: Path, tmp_path: Path, engine: str
) -> None:
    path = tmp_path / "bad.onnx"
    path.write_bytes(without_bodies(tiny_model.read_bytes()))
    with pytest.raises(InputError, match=f"^{path}: "):
        opened(path, engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_file_cut_anywhere_is_refused_or_whole(
    tiny_model: Path, tmp_path: Path, engine: str
) -> None:
    good = tiny_model.read_bytes()
    path = tmp_path / "cut.onnx"
    for length in np.linspace(0, len(good) - 1, 60).astype(int).tolist():
        path.write_bytes(good[:length])
        with pytest.raises(InputError):
            opened(path, engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_missing_file_and_a_folder_are_named(tmp_path: Path, engine: str) -> None:
    for path in (tmp_path, tmp_path / "absent.onnx"):
        with pytest.raises(InputError, match=f"there is no model file {path}"):
            opened(path, engine)


def test_an_unknown_engine_is_named(tiny_model: Path) -> None:
    with pytest.raises(InputError, match="there is no engine tpu: choose ort or numpy"):
        open_session(tiny_model, "tpu")
