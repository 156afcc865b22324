"""Exactness on a processor without VNNI, which adds two u8 x s8 products in 16 bits.

qemu-user runs this same Python as on a Haswell (AVX2 alone); `.ci/install-emulators` installs it.
Everything runs in one emulated process, with worst-case weights and activations.
"""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tiny import sentences
from worst import BROKEN, KEPT, PAIRS, worst_activations, worst_student, worst_weight

from inhibi.engine.ops import matmul_integer
from inhibi.engine.session import open_session, pack
from inhibi.export import graph
from inhibi.export.graph import build, write

QEMU = "qemu-x86_64"
SHAPES = ((1, 64, 16), (9, 63, 33), (6, 96, 32))  # N, K, M: a vector, odd sizes, whole blocks
SENTENCES = sentences(1, 5, 17)

pytestmark = [
    pytest.mark.skipif(platform.machine() != "x86_64", reason="emulates x86-64 on x86-64 only"),
    pytest.mark.skipif(shutil.which(QEMU) is None, reason=f"no {QEMU}: run .ci/install-emulators"),
]


def product(weight: np.ndarray) -> onnx.ModelProto:
    """The standard MatMulInteger alone."""
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["a", "weight", "zero_point"], ["acc"])],
        "product",
        [value("a", TensorProto.UINT8, ["n", len(weight)])],
        [value("acc", TensorProto.INT32, ["n", weight.shape[1]])],
        [
            numpy_helper.from_array(weight, "weight"),
            numpy_helper.from_array(np.array(128, np.uint8), "zero_point"),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture(scope="module")
def emulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models, their inputs, and the outputs that an emulated Haswell gives."""
    folder = tmp_path_factory.mktemp("avx2")
    for part in ("product", "engine"):
        (folder / part).mkdir()
    for name, pair in PAIRS.items():
        for rows, inputs, outputs in SHAPES:
            path = folder / "product" / f"{name} {rows}.onnx"
            onnx.save(product(worst_weight(pair, inputs, outputs)), path)
            np.savez(path.with_suffix(".npz"), a=worst_activations(rows, inputs))
    for attention in ("inhibitor", "dot_product"):
        save(build(worst_student(KEPT, attention)), folder / "engine" / f"{attention}.onnx")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(graph, "check", lambda model: None)
        save(build(worst_student(BROKEN)), folder / "engine" / "broken.onnx")
    worker = Path(__file__).with_name("run_models.py")
    command = [QEMU, "-cpu", "Haswell", sys.executable, str(worker), str(folder)]
    alone = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env=alone)
    assert done.returncode == 0, done.stderr
    return folder


def save(model: onnx.ModelProto, path: Path) -> None:
    write(model, path)
    np.savez(path.with_suffix(".npz"), **pack(SENTENCES))  # type: ignore[arg-type]


def wrong(folder: Path, name: str) -> list[int]:
    """By shape, how many of onnxruntime's products differ from NumPy's."""
    counts = []
    for rows, inputs, outputs in SHAPES:
        weight = worst_weight(PAIRS[name], inputs, outputs)
        exact = matmul_integer(worst_activations(rows, inputs), weight)
        acc = np.load(folder / "product" / f"{name} {rows}.npy")
        counts.append(int(np.count_nonzero(acc != exact)))
    return counts


@pytest.mark.parametrize("name", KEPT)
def test_pairs_at_the_limit_are_exact(emulated: Path, name: str) -> None:
    assert wrong(emulated, name) == [0, 0, 0]


@pytest.mark.parametrize("name", BROKEN)
def test_pairs_over_the_limit_are_wrong(emulated: Path, name: str) -> None:
    """Otherwise the emulation would prove nothing."""
    assert min(wrong(emulated, name)) > 0


@pytest.mark.parametrize("name", ["inhibitor", "dot_product", "broken"])
def test_a_worst_case_student_equals_numpy(emulated: Path, name: str) -> None:
    """ "broken" has pairs over the limit: there the session's own option must help."""
    reference = open_session(emulated / "engine" / f"{name}.onnx", "numpy")
    logits = reference.logits(SENTENCES)
    assert len(np.unique(logits)) > len(SENTENCES)
    assert np.array_equal(np.load(emulated / "engine" / f"{name}.npy"), logits)

    inner = dict(reference.trace(SENTENCES[-1]))["layer.0.output"]
    assert np.isin(inner, [1, 255]).mean() > 0.5
