"""The packaged students: their files, published scores, and equal bits on both engines."""

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
from inhibi.engine.catalog import students
from inhibi.engine.infer import main as infer
from inhibi.eval.examples import Examples, examples
from inhibi.export.check import check
from inhibi.kd.data import find_task
from inhibi.kd.recipe import read_recipe

SENTENCES = (Path(__file__).parent / "sentences.txt").read_text("utf-8").splitlines()


BYTES = {"sst2": 25e6, "tiny": 1.5e6}  # at most
ACCURACY = {"sst2": 0.9, "tiny": 0.83}  # at least
BELOW_TEACHER = {"sst2": 0.015, "tiny": 0.05}  # on joined sentences, at most


@pytest.fixture(scope="module", params=students())
def name(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture(scope="module")
def student(name: str) -> Model:
    return load(name)


@pytest.fixture(scope="module")
def scores(name: str) -> dict:  # type: ignore[type-arg]
    """What the repository says of the file."""
    made: dict = json.loads(students()[name].with_suffix(".json").read_text())  # type: ignore[type-arg]
    return made


def test_the_students_that_are_promised_are_there() -> None:
    assert set(students()) == set(BYTES)


def test_the_scores_are_those_of_this_file(name: str, scores: dict) -> None:  # type: ignore[type-arg]
    file = students()[name]
    assert scores["models"]["integer"]["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert file.stat().st_size <= BYTES[name]


def test_its_recipe_stands_beside_it(name: str, student: Model, scores: dict) -> None:  # type: ignore[type-arg]
    recipe = read_recipe(students()[name].with_suffix(".toml"))
    assert student.metadata.provenance["recipe_sha256"] == recipe.sha256 == scores["recipe_sha256"]


def test_no_float_between_ids_and_logits(name: str) -> None:
    check(onnx.load(students()[name]))


def test_the_card_says_what_was_measured(name: str, scores: dict) -> None:  # type: ignore[type-arg]
    assert section(scores) in students()[name].with_suffix(".md").read_text("utf-8")


def test_the_published_scores_keep_their_floors(name: str, scores: dict) -> None:  # type: ignore[type-arg]
    sets = {model: found["sets"] for model, found in scores["models"].items()}
    accuracy = {model: found["validation"]["metrics"]["accuracy"] for model, found in sets.items()}
    assert accuracy["integer"] >= ACCURACY[name]
    for other in ("float", "unquantized"):
        assert accuracy["integer"] >= accuracy[other] - 0.005
    assert scores["fake_quantization"]["equal_predictions"] >= 0.99
    assert scores["fake_quantization"]["median_difference"] <= 0.02
    for joined in list(scores["references"])[1:]:
        teacher, integer = (
            sets[model][joined]["metrics"]["accuracy"] for model in ("teacher", "integer")
        )
        assert integer >= teacher - BELOW_TEACHER[name]


def test_engines_give_equal_logits(name: str, student: Model) -> None:
    texts = [text for text in SENTENCES if text.strip()][::4]
    assert (student.logits(texts) == load(name, engine="numpy").logits(texts)).all()


def test_it_knows_good_from_bad(student: Model) -> None:
    answers = student.classify(["a moving, funny film", "two hours I will never get back"])
    assert [answer.label for answer in answers] == ["positive", "negative"]


def test_infer_finds_it_by_name(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    infer(["--int8", "--model", name, "--json", "a moving, funny film"])
    assert json.loads(capsys.readouterr().out)["label"] == "positive"


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
    name: str,
    student: Model,
    scores: dict,  # type: ignore[type-arg]
    validation: Examples,
) -> None:
    """Equal logits on both engines, one by one and packed, in any order; the published answers."""
    texts = validation.texts
    alone = student.logits(texts)
    order = random.Random(0).sample(range(len(texts)), len(texts))
    encoded = [student.tokenizer.encode(texts[i]) for i in order]
    numpy = load(name, engine="numpy").session
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
    assert tuple(longer) == tuple(n for n in LENGTHS if n < student.metadata.max_tokens / 1.1)
    for length, rows in longer.items():
        assert len(rows.texts) == TEXTS
        tokens = [len(student.tokenizer.encode(text).ids) for text in rows.texts]
        assert all(0.9 * length <= count <= 1.1 * length for count in tokens)
        published = scores["models"]["integer"]["sets"][f"joined {length}"]["predictions"]
        assert (student.logits(rows.texts).argmax(1) == unpack(published)).all()
