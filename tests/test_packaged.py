"""The packaged student: its file, its published scores, and equal bits on both engines."""

import hashlib
import json
import random
from pathlib import Path

import numpy as np
import onnx
import pytest

from benchmarks.joined import LENGTHS, TEXTS, joined_examples
from benchmarks.model_card import section
from benchmarks.scoring import unpack
from inhibi.engine import Model, load
from inhibi.engine.model import packaged
from inhibi.eval.examples import Examples, examples
from inhibi.export.check import check
from inhibi.kd.data import find_task
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
    found = hashlib.sha256(packaged().read_bytes()).hexdigest()
    assert scores["models"]["integer"]["sha256"] == found
    assert packaged().stat().st_size < 25e6


def test_its_recipe_is_the_packaged_one(student: Model) -> None:
    assert student.metadata.provenance["recipe_sha256"] == read_recipe("best").sha256


def test_no_float_between_ids_and_logits() -> None:
    check(onnx.load(packaged()))


def test_the_card_says_what_was_measured(scores: dict) -> None:  # type: ignore[type-arg]
    assert section(scores) in packaged().with_suffix(".md").read_text("utf-8")


def test_the_published_scores_keep_their_floors(scores: dict) -> None:  # type: ignore[type-arg]
    sets = {name: model["sets"] for name, model in scores["models"].items()}
    accuracy = {name: found["validation"]["metrics"]["accuracy"] for name, found in sets.items()}
    assert accuracy["integer"] >= 0.88
    assert abs(accuracy["integer"] - accuracy["unquantized"]) <= 0.005
    assert scores["fake_quantization"]["equal_predictions"] >= 0.99
    assert scores["fake_quantization"]["median_difference"] <= 0.02
    for length in LENGTHS:
        teacher, integer = (
            sets[name][f"joined {length}"]["metrics"]["accuracy"] for name in ("teacher", "integer")
        )
        assert integer >= teacher - 0.05


def test_engines_give_equal_logits(student: Model) -> None:
    texts = [text for text in SENTENCES if text.strip()][::4]
    assert (student.logits(texts) == load(engine="numpy").logits(texts)).all()


def test_it_knows_good_from_bad(student: Model) -> None:
    answers = student.classify(["a moving, funny film", "two hours I will never get back"])
    assert [answer.label for answer in answers] == ["positive", "negative"]


@pytest.fixture(scope="module")
def validation(request: pytest.FixtureRequest) -> Examples:
    """SST-2's validation split."""
    folder = request.config.getoption("--data-dir")
    if not folder:
        pytest.skip("no --data-dir and no INHIBI_DATA")
    return examples(find_task("sst2"), "validation", folder, None)


@pytest.mark.slow
@pytest.mark.data
def test_the_whole_validation_set(
    student: Model,
    scores: dict,  # type: ignore[type-arg]
    validation: Examples,
) -> None:
    """Equal logits on both engines, one by one and packed, in any order; the published answers."""
    texts = validation.texts
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
    published = scores["models"]["integer"]["sets"]["validation"]["predictions"]
    assert (alone.argmax(1) == unpack(published)).all()
    assert (unpack(scores["references"]["validation"]) == validation.references).all()


@pytest.mark.slow
@pytest.mark.data
def test_joined_sentences(
    student: Model,
    scores: dict,  # type: ignore[type-arg]
    validation: Examples,
) -> None:
    longer = joined_examples(find_task("sst2"), validation, student.tokenizer)
    assert tuple(longer) == LENGTHS
    for length, rows in longer.items():
        assert len(rows.texts) == TEXTS
        tokens = [len(student.tokenizer.encode(text).ids) for text in rows.texts]
        assert all(0.9 * length <= count <= 1.1 * length for count in tokens)
        published = scores["models"]["integer"]["sets"][f"joined {length}"]["predictions"]
        assert (student.logits(rows.texts).argmax(1) == unpack(published)).all()
