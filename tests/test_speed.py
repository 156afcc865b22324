"""The speed comparison: its arithmetic on clocks that count work, and its checks."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from tiny import sentences
from tiny_teacher import save_teacher

from benchmarks import attention_speed, model_speed, models, sentence_speed
from benchmarks.attention_models import Shape, inhibitor
from benchmarks.checks import WrongAnswer
from benchmarks.data import Sentences
from benchmarks.peers.ours import DOT_PRODUCT, OURS, Sentence, make_dot_product, our_peer
from benchmarks.peers.peer import Call, Ids, Peer
from benchmarks.peers.teacher import open_teacher
from benchmarks.timing import Effort, alternate, compare
from inhibi.engine.errors import InputError
from inhibi.engine.model import load
from inhibi.engine.session import open_session
from inhibi.export.check import check as check_file

EFFORT = Effort(0.0, least=4, most=4)


class Clock:
    """Stands still but for the work that is reported to it; it runs slower as it goes."""

    def __init__(self) -> None:
        self.now, self.work = 0.0, 0

    def __call__(self) -> float:
        return self.now

    def worked(self, amount: float) -> None:
        self.work += 1
        self.now += amount * (1 + self.work // 40)


def counted(peer: Peer, clock: Clock, name: str, cost: float = 1e-6) -> Peer:
    """The same peer, whose calls move the clock by `cost` for each token."""

    def prepare(given: Sequence[Ids]) -> Call:
        call = peer.prepare(given)

        def run() -> np.ndarray:
            clock.worked(cost * sum(map(len, given)))
            return call()

        return run

    return Peer(name, prepare)


def test_ratio_is_of_one_round_whatever_the_machine_does_meanwhile() -> None:
    clock = Clock()
    calls = {"ours": lambda: clock.worked(0.01), "peer": lambda: clock.worked(0.03)}
    seconds = alternate(calls, Effort(0.0, least=9, most=9), clock)
    assert len(seconds["peer"]) == 9
    assert max(seconds["ours"]) > min(seconds["ours"])  # the clock did run slower
    found = compare(seconds, "ours")
    assert found["rounds"] == 9
    assert found["models"]["ours"]["ratio"] == 1
    assert found["models"]["peer"]["ratio"] == pytest.approx(3, rel=0.2)


def test_every_other_round_goes_backwards() -> None:
    clock, order = Clock(), []

    def call(name: str) -> Callable[[], None]:
        def run() -> None:
            order.append(name)
            clock.worked(0.5)

        return run

    alternate({name: call(name) for name in "abc"}, Effort(0.0, least=2, most=2), clock)
    assert "".join(order) == "aabbcc" + "abc" + "cba"


def test_rounds_end_when_their_time_is_spent() -> None:
    clock = Clock()
    seconds = alternate({"a": lambda: clock.worked(1)}, Effort(10.5, least=3, most=50), clock)
    assert len(seconds["a"]) == 11


def test_ourselves_in_the_peers_place_give_a_ratio_of_one(tiny_model: Path) -> None:
    clock = Clock()
    ours = our_peer(OURS, tiny_model, 1)
    peers = [counted(ours, clock, OURS), counted(ours, clock, "the same")]
    (row,) = model_speed.measure(load(tiny_model), peers, 1, (16,), (2,), EFFORT, clock)
    assert row["batch"] == 2
    assert row["models"]["the same"]["ratio"] == pytest.approx(1, rel=0.1)
    drawn = [sentence.ids for sentence in sentences(*range(3, 35))]
    alone, answers = sentence_speed.alone(peers, drawn, clock)
    for found in (alone, sentence_speed.packed(peers, drawn, clock)):
        assert found["models"]["the same"]["ratio"] == pytest.approx(1, rel=0.1)
    labels = np.concatenate([ours.logits([ids]).argmax(1) for ids in drawn])
    assert (answers["the same"] == labels).all()
    accuracy = models.scores({**answers, models.TRUTH: 1 - labels}, labels)
    assert accuracy[OURS] == {"accuracy": 1, "equal_to_fp32": 0}


def test_a_sentence_counts_once_when_they_come_alone() -> None:
    clock = Clock()
    peer = Peer(OURS, lambda given: lambda: np.zeros(len(given)))
    found, _ = sentence_speed.alone([counted(peer, clock, OURS, 1e-3)], [[1] * 5] * 16, clock)
    assert found["sentences"] == 16
    assert found["models"][OURS]["mean_ms"] == pytest.approx(5)


@pytest.fixture(scope="module")
def files(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> models.Files:
    path = tmp_path_factory.mktemp("speed") / "dot_product.onnx"
    make_dot_product(tiny_model, path)
    return models.Files(tiny_model, path, {}, [], None)


@pytest.fixture(scope="module")
def data() -> Sentences:
    return Sentences([], [sentence.ids for sentence in sentences(*range(3, 20))], None, None)


def opened(files: models.Files) -> list[Peer]:
    """Ours, and a teacher that says what the student says."""
    truth = our_peer(models.TRUTH, files.student, 1)
    return [*models.open_all(files, 1), Peer(models.TRUTH, truth.prepare, exact=True)]


def broken(peer: Peer, amount: float) -> Peer:
    """One logit of each call is off by `amount`."""

    def prepare(given: Sequence[Ids]) -> Call:
        call = peer.prepare(given)

        def run() -> np.ndarray:
            logits = call().copy()
            logits[-1, 0] += amount
            return logits

        return run

    return Peer(peer.name, prepare, exact=peer.exact)


def test_right_answers_pass(files: models.Files, data: Sentences) -> None:
    assert models.check(opened(files), files, data) == {models.TRUTH: 0}


@pytest.mark.parametrize("name", [OURS, DOT_PRODUCT])
def test_ours_must_equal_the_reference(name: str, files: models.Files, data: Sentences) -> None:
    peers = [broken(peer, 1e-4) if peer.name == name else peer for peer in opened(files)]
    with pytest.raises(WrongAnswer, match=f"{name}.* differ"):
        models.check(peers, files, data)


@pytest.mark.parametrize(("amount", "exact"), [(0.1, True), (100.0, False), (np.nan, False)])
def test_a_peer_with_wrong_answers_is_refused(
    amount: float, exact: bool, files: models.Files, data: Sentences
) -> None:
    peers = opened(files)
    wrong = broken(Peer("peer", peers[-1].prepare, exact=exact), amount)
    with pytest.raises(WrongAnswer, match="peer is off"):
        models.check([*peers, wrong], files, data)


def test_the_dot_product_twin_is_a_student(files: models.Files) -> None:
    model = onnx.load(files.dot_product)
    check_file(model)
    kinds = {node.op_type for node in model.graph.node}
    assert "DotProductAttention" in kinds
    assert "InhibitorAttention" not in kinds
    assert load(files.dot_product).metadata.attention == "dot_product"
    used = {name for node in model.graph.node for name in node.input}
    assert {tensor.name for tensor in model.graph.initializer} <= used
    given = [Sentence(sentence.ids) for sentence in sentences(5, 9)]
    both = [open_session(files.dot_product, engine).logits(given) for engine in ("ort", "numpy")]
    assert (both[0] == both[1]).all()


def test_attention_is_checked_before_it_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    right = attention_speed.our_call

    def wrong(*arguments: Any) -> Callable[[], np.ndarray]:
        call = right(*arguments)
        return lambda: call() ^ np.eye(16, 192, 150, dtype=np.uint8)

    monkeypatch.setattr(attention_speed, "HEADS", 3)
    monkeypatch.setattr(attention_speed, "our_call", wrong)
    monkeypatch.setattr(attention_speed, "alternate", lambda *_: pytest.fail("timed"))
    with pytest.raises(WrongAnswer, match="16 of 1024 values differ"):
        next(attention_speed.measure(attention_speed.Plan((16,), (64,), (1,))))


def test_attention_models_agree() -> None:
    calls = attention_speed.checked_calls(Shape(19, 2, 32), 1)
    assert len(calls) == 4
    got = calls[attention_speed.INHIBITOR]()
    assert len(np.unique(got)) > 50  # not saturated
    assert len(np.unique(calls[attention_speed.DOT_PRODUCT]())) > 50


def test_check_looks_at_every_head() -> None:
    shape = Shape(7, 3, 8)
    operator = inhibitor(shape)
    got = attention_speed.our_call(operator, shape, 1)().copy()
    attention_speed.check("ours", got, operator, shape)
    got[3, 20] ^= 1
    with pytest.raises(WrongAnswer):
        attention_speed.check("ours", got, operator, shape)


def test_teacher_must_have_the_students_shape(tiny_model: Path, tmp_path: Path) -> None:
    metadata = load(tiny_model).metadata
    with pytest.raises(InputError, match=r"no config\.json"):
        open_teacher(tmp_path, metadata)
    with pytest.raises(InputError, match="the teacher's hidden is 16, the student's 32"):
        open_teacher(save_teacher(tmp_path), metadata)


@pytest.mark.slow
def test_peers_are_made_and_answer(tiny_model: Path, tmp_path: Path, data: Sentences) -> None:
    given = Sentences(data.validation, data.validation, None, None)
    metadata = load(tiny_model).metadata
    made = models.make(tmp_path, tiny_model, metadata, None, given)
    peers = models.open_all(made, 1)
    errors = models.check(peers, made, given)
    assert len(errors) == len(peers) - 2 >= 6
    assert errors["onnxruntime dynamic int8"] > 0
