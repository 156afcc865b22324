"""The packaged student: its file, its published scores, and equal bits on both engines."""

import hashlib
import json
import random
from pathlib import Path

import numpy as np
import onnx
import pytest

from benchmarks.joined import join
from benchmarks.student_scores import JOINED, LENGTHS
from inhibi.engine import Model, load
from inhibi.engine.model import packaged
from inhibi.export.check import check
from inhibi.kd.data import find_task, load_split
from inhibi.kd.recipe import read_recipe

SENTENCES = (Path(__file__).parent / "sentences.txt").read_text("utf-8").splitlines()


@pytest.fixture(scope="module")
def student() -> Model:
    return load()


@pytest.fixture(scope="module")
def scores() -> dict:  # type: ignore[type-arg]
    """What the repository says of the file."""
    made: dict = json.loads(packaged().with_suffix(".json").read_text())  # type: ignore[type-arg]
    return made


def test_the_scores_are_those_of_this_file(scores: dict) -> None:  # type: ignore[type-arg]
    assert scores["model_sha256"] == hashlib.sha256(packaged().read_bytes()).hexdigest()
    assert packaged().stat().st_size < 25e6


def test_its_recipe_is_the_packaged_one(student: Model) -> None:
    assert student.metadata.provenance["recipe_sha256"] == read_recipe("sst2").sha256


def test_no_float_between_ids_and_logits() -> None:
    check(onnx.load(packaged()))


def test_the_card_says_what_was_measured(scores: dict) -> None:  # type: ignore[type-arg]
    card = packaged().with_suffix(".md").read_text()
    for name, values in scores["metrics"].items():
        assert f"{100 * values['accuracy']:.1f} %" in card, name
    assert scores["model_sha256"] in card


def test_the_published_scores_keep_their_floors(scores: dict) -> None:  # type: ignore[type-arg]
    accuracy = {name: values["accuracy"] for name, values in scores["metrics"].items()}
    assert accuracy["integer"] >= 0.88
    assert abs(accuracy["integer"] - accuracy["fake_quantized"]) <= 0.005
    assert scores["agreement"]["equal_predictions"] >= 0.99
    assert scores["agreement"]["median_difference"] <= 0.02
    for values in scores["joined"].values():
        assert values["integer"] >= values["teacher"] - 0.05


def test_engines_give_equal_logits(student: Model) -> None:
    texts = [text for text in SENTENCES if text.strip()][::4]
    assert (student.logits(texts) == load(engine="numpy").logits(texts)).all()


def test_it_knows_good_from_bad(student: Model) -> None:
    answers = student.classify(["a moving, funny film", "two hours I will never get back"])
    assert [answer.label for answer in answers] == ["positive", "negative"]


@pytest.fixture(scope="module")
def validation(request: pytest.FixtureRequest) -> tuple[list[str], np.ndarray]:
    """Texts and label ids of SST-2's validation split."""
    folder = request.config.getoption("--data-dir")
    if not folder:
        pytest.skip("no --data-dir and no INHIBI_DATA")
    rows = load_split(find_task("sst2"), "validation", folder)
    return list(rows["sentence"]), np.array(rows["label"])


@pytest.mark.slow
@pytest.mark.data
def test_the_whole_validation_set(
    student: Model,
    scores: dict,  # type: ignore[type-arg]
    validation: tuple[list[str], np.ndarray],
) -> None:
    """Equal logits on both engines, one by one and packed, in any order; the published accuracy."""
    texts, labels = validation
    alone = student.logits(texts)
    order = random.Random(0).sample(range(len(texts)), len(texts))
    encoded = [student.tokenizer.encode(texts[i]) for i in order]
    numpy = load(engine="numpy").session
    assert (numpy.logits(encoded) == alone[order]).all()  # packed, up to 1,024 tokens
    some = encoded[:100]
    one_by_one = [numpy.logits([sentence])[0] for sentence in some]
    assert (np.stack(one_by_one) == alone[order][:100]).all()
    for start in range(0, len(order), 6):
        packed = student.session._engine.run(student.session._feeds(encoded[start : start + 6]))
        assert (packed == alone[order][start : start + 6]).all()
    accuracy = (alone.argmax(1) == labels).mean()
    assert accuracy == scores["metrics"]["integer"]["accuracy"]


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize("length", LENGTHS)
def test_joined_sentences(
    length: int,
    student: Model,
    scores: dict,  # type: ignore[type-arg]
    validation: tuple[list[str], np.ndarray],
) -> None:
    texts, labels = validation

    def tokens(text: str) -> int:
        return len(student.tokenizer.encode(text).ids)

    longer, goal = join(texts, labels.tolist(), length, tokens, JOINED)
    assert len(longer) == 100
    assert all(0.9 * length <= tokens(text) <= 1.1 * length for text in longer)
    accuracy = (student.logits(longer).argmax(1) == np.array(goal)).mean()
    assert accuracy == scores["joined"][str(length)]["integer"]
