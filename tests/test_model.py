"""Texts to predictions in Python: engines, threads, batches, kinds of model."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny import tiny_student

from inhibi.engine import load
from inhibi.engine.errors import InputError
from inhibi.engine.model import predict
from inhibi.engine.text import Encoded
from inhibi.export.graph import build, write

SENTENCES = (Path(__file__).parent / "sentences.txt").read_text("utf-8").splitlines()


@pytest.fixture(scope="module")
def pair_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pair") / "mrpc.onnx"
    write(build(replace(tiny_student(), task="mrpc", texts=2)), path)
    return path


def test_engines_give_equal_logits_in_any_order_and_batch(tiny_model: Path) -> None:
    ort, numpy = load(tiny_model), load(tiny_model, engine="numpy")
    expected = numpy.logits(SENTENCES)
    assert expected.dtype == np.int32
    assert len(np.unique(expected, axis=0)) > 150  # the model does not say the same to all
    assert np.array_equal(ort.logits(SENTENCES), expected)
    assert np.array_equal(numpy.logits(SENTENCES, batch=1), expected)
    assert np.array_equal(ort.logits(SENTENCES[::-1], batch=7), expected[::-1])


def test_a_prediction_says_what_the_logits_say(tiny_model: Path) -> None:
    model = load(tiny_model)
    texts = ["good film", "a " * 60]
    predictions = model.classify(texts)
    scale = model.metadata.output_scale
    for text, row, made in zip(texts, model.logits(texts), predictions, strict=True):
        weights = np.exp(row * scale)
        assert (made.text, made.logits, made.score) == (text, row.tolist(), None)
        assert made.label == model.metadata.labels[np.argmax(row)]
        assert made.probability == pytest.approx(weights.max() / weights.sum())
    assert [made.tokens for made in predictions] == [4, 40]
    assert [made.truncated for made in predictions] == [False, True]


def test_a_shorter_length_is_as_good_as_a_shorter_text(tiny_model: Path) -> None:
    model = load(tiny_model)
    assert model.logits(["good bad warm"], 4).tolist() == model.logits(["good bad"]).tolist()


def test_no_texts_give_no_predictions(tiny_model: Path) -> None:
    model = load(tiny_model)
    assert model.classify([]) == []
    assert model.logits([]).shape == (0, 2)


@pytest.mark.parametrize("engine", ["ort", "numpy"])
def test_threads_share_a_model(tiny_model: Path, engine: str) -> None:
    model = load(tiny_model, engine, threads=1)
    jobs = [(SENTENCES[i : i + 20], 5 + i // 10) for i in range(0, 160, 10)]
    expected = [model.classify(*job) for job in jobs]
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda job: model.classify(*job), jobs * 2))
    assert made == expected * 2


def test_a_pair_task_takes_pairs_only(pair_model: Path, tiny_model: Path) -> None:
    model = load(pair_model)
    [made] = model.classify([("good film", "bad film")])
    assert (made.text, made.tokens) == (("good film", "bad film"), 7)
    with pytest.raises(InputError, match="mrpc"):
        model.classify([("a", "b"), "a"])
    with pytest.raises(InputError, match="as a string"):
        load(tiny_model).classify([("a", "b")])


def test_a_regression_has_a_score() -> None:
    made = predict("text", Encoded([1, 2], [0, 0], 2), [-250], ("score",), 0.01)
    assert made.as_dict() == {
        "text": "text",
        "score": -2.5,
        "logits": [-250],
        "tokens": 2,
        "truncated": False,
    }


@pytest.mark.parametrize("best", [0, 1, 2])
def test_the_label_is_the_integers_argmax_without_overflow(best: int) -> None:
    logits = [-(2**31)] * 3
    logits[best] = 2**31 - 1
    made = predict("", Encoded([1], [0], 1), logits, "abc", 1.0)
    assert (made.label, made.probability) == ("abc"[best], 1.0)
    assert "score" not in made.as_dict()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model": "absent.onnx"}, "absent.onnx"),
        ({"model": "."}, "is a folder"),
        ({"engine": "tpu"}, "tpu"),
    ],
)
def test_what_cannot_be_loaded_is_one_mistake(
    tiny_model: Path, arguments: dict[str, str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        load(**{"model": str(tiny_model), **arguments})  # type: ignore[arg-type]


def test_wrong_calls_are_refused(tiny_model: Path) -> None:
    model = load(tiny_model)
    with pytest.raises(InputError, match="list of texts"):
        model.classify("good film")
    with pytest.raises(InputError, match="batch"):
        model.classify(["good film"], batch=0)
