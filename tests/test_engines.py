"""NumPy and ONNX Runtime give the same bits, however sentences are packed."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opened import ENGINES, opened
from tiny import VOCABULARY, Ids, sentences, tiny_student
from worst import KEPT, worst_student

from inhibi.engine.errors import InputError
from inhibi.engine.session import Session, pack
from inhibi.export.graph import build, write

STUDENTS: dict[str, dict[str, Any]] = {
    "inhibitor": {},
    "uncentred": {"centred": False},
    "unsigned": {"signed": False},
    "uncentred unsigned": {"centred": False, "signed": False},
    "plain sum": {"n0": None},
    "without token types": {"token_types": False},
    "dot product": {"attention": "dot_product"},
    "regression": {"labels": ("score",), "problem": "regression"},
    "three labels": {"labels": ("a", "b", "c")},
    "one wide head": {"layers": 1, "hidden": 64, "heads": 1, "intermediate": 7},
    "narrow heads": {"layers": 3, "hidden": 24, "heads": 12, "intermediate": 33},
}


def run_packed(session: Session, batch: list[Ids]) -> np.ndarray:
    """All sentences at once, whatever the engine would choose."""
    return session._engine.run(session._feeds(batch))


@pytest.fixture(scope="module")
def engines(tiny_model: Path) -> list[Session]:
    return [opened(tiny_model, engine) for engine in ENGINES]


@pytest.mark.parametrize("changes", STUDENTS.values(), ids=STUDENTS)
def test_engines_agree_on_every_tensor_of_every_kind_of_student(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    write(build(tiny_student(**changes, seed=5)), tmp_path / "student.onnx")
    numpy, *others = (opened(tmp_path / "student.onnx", engine) for engine in ENGINES)
    batch = sentences(1, 2, 3, 8, 17, 40)
    logits = numpy.logits(batch)
    assert logits.dtype == np.int32
    assert logits.shape == (6, len(numpy.metadata.labels))
    assert len(np.unique(logits)) > 4
    for engine in others:
        assert np.array_equal(engine.logits(batch), logits)
        assert np.array_equal(run_packed(engine, batch), logits)
        for (name, ours), (other, theirs) in zip(
            numpy.trace(batch[4]), engine.trace(batch[4]), strict=True
        ):
            assert (name, ours.dtype) == (other, theirs.dtype)
            assert np.array_equal(ours, theirs), name


@pytest.mark.parametrize("attention", ["inhibitor", "dot_product"])
def test_engines_agree_where_weights_and_activations_are_extreme(
    attention: str, tmp_path: Path
) -> None:
    write(build(worst_student(KEPT, attention)), tmp_path / "student.onnx")
    numpy, *others = (opened(tmp_path / "student.onnx", engine) for engine in ENGINES)
    batch = sentences(1, 2, 17, 40)
    assert np.isin(dict(numpy.trace(batch[3]))["layer.0.output"], [1, 255]).mean() > 0.5
    for engine in others:
        assert np.array_equal(engine.logits(batch), numpy.logits(batch))


@given(lengths=st.lists(st.integers(1, 12), min_size=1, max_size=5), seed=st.integers(0, 999))
@settings(max_examples=40)
def test_a_sentence_s_logits_depend_on_nothing_but_the_sentence(
    engines: list[Session], lengths: list[int], seed: int
) -> None:
    batch = sentences(*lengths, seed=seed)
    order = np.random.default_rng(seed).permutation(len(batch))
    alone = np.concatenate([engines[0].logits([sentence]) for sentence in batch])
    for session in engines:
        assert np.array_equal(session.logits(batch), alone)
        assert np.array_equal(run_packed(session, [batch[i] for i in order]), alone[order])


def test_batches_are_cut_by_tokens_and_keep_their_order(engines: list[Session]) -> None:
    batch = sentences(*[40] * 60, *range(1, 20))
    numpy, native, bodies = engines
    assert [len(b) for b in numpy._batches(batch)][:2] == [25, 25]  # 1024 tokens
    if "native operators" in native.runs_on:
        assert len(list(native._batches(batch))) < 60
    assert all(len(b) == 1 for b in bodies._batches(batch))
    for session in (native, bodies):
        assert np.array_equal(session.logits(batch), numpy.logits(batch))


def test_no_sentences_give_no_logits(engines: list[Session]) -> None:
    for session in engines:
        assert session.logits([]).shape == (0, 2)


def test_pack_counts_positions_from_the_start_of_each_sentence() -> None:
    feeds = pack([Ids([5, 6], [0, 1]), Ids([7, 8, 9], [0, 0, 1])])
    assert {name: value.tolist() for name, value in feeds.items()} == {
        "input_ids": [5, 6, 7, 8, 9],
        "position_ids": [0, 1, 0, 1, 2],
        "token_type_ids": [0, 1, 0, 0, 1],
        "offsets": [0, 2, 5],
    }
    assert all(value.dtype == np.int64 for value in feeds.values())


def test_the_trace_names_every_node_and_ends_with_the_logits(
    engines: list[Session], tiny_model: Path
) -> None:
    batch = sentences(9)
    for session in engines:
        trace = session.trace(batch[0])
        assert [name for name, _ in trace] == [n.name for n in onnx.load(tiny_model).graph.node]
        assert dict(trace)["layer.1.attention"].shape == (9, 32)
        assert np.array_equal(trace[-1][1], session.logits(batch))


def test_activations_of_the_tiny_student_use_their_range(engines: list[Session]) -> None:
    """Otherwise equality would say little."""
    for name, value in engines[0].trace(sentences(30)[0]):
        if value.dtype == np.uint8 and name != "layer.0.intermediate":
            assert value.std() > 15, name
            assert ((value > 1) & (value < 255)).mean() > 0.7, name


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("sentence", "message"),
    [
        (Ids([], []), "has 0 tokens, this model reads 1 to 40"),
        (Ids([1] * 41, [0] * 41), "has 41 tokens"),
        (Ids([len(VOCABULARY)], [0]), "token id [0-9]+ is outside"),
        (Ids([3, -1], [0, 0]), "token id -1 is outside"),
        (Ids([3], [2]), r"token type 2 is outside this model's 0\.\.1"),
        (Ids([3, 4], [0]), "2 token ids have 1 token types"),
    ],
)
def test_ids_out_of_range_are_refused(
    engines: list[Session], engine: str, sentence: Ids, message: str
) -> None:
    session = engines[ENGINES.index(engine)]
    for call in (
        lambda: session.logits([*sentences(4), sentence]),
        lambda: session.trace(sentence),
    ):
        with pytest.raises(InputError, match=message):
            call()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_session_serves_several_threads(
    engines: list[Session], engine: str, tiny_model: Path
) -> None:
    batch = sentences(*range(1, 33))
    expected = engines[0].logits(batch)
    session = opened(tiny_model, engine)
    with ThreadPoolExecutor(4) as pool:
        rows = list(pool.map(lambda s: (session.logits([s]), session.trace(s)[-1][1]), batch))
    assert np.array_equal(np.concatenate([row for row, _ in rows]), expected)
    assert np.array_equal(np.concatenate([row for _, row in rows]), expected)


def test_a_long_sentence_without_native_operators_is_warned_about(tmp_path: Path) -> None:
    student = tiny_student(layers=1, hidden=8, heads=1, intermediate=8, max_tokens=300)
    write(build(student), tmp_path / "student.onnx")
    with pytest.warns(UserWarning, match="300 tokens at once take seconds and gigabytes"):
        logits = opened(tmp_path / "student.onnx", "bodies").logits(sentences(300))
    for engine in ("numpy", "ort"):
        session = opened(tmp_path / "student.onnx", engine)
        assert np.array_equal(session.logits(sentences(300)), logits)


def test_onnxruntime_s_path_imports_neither_onnx_nor_torch(tiny_model: Path) -> None:
    code = (
        "import sys; from inhibi.engine.session import open_session; "
        f"open_session({str(tiny_model)!r}); "
        "print({'onnx', 'torch', 'transformers', 'brevitas'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
    assert done.stderr == ""
