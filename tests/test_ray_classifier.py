"""What a worker of Ray makes of a batch of columns. Needs no Ray."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny import tiny_student

from inhibi.engine.errors import InputError
from inhibi.engine.model import load
from inhibi.engine.ray import Classifier
from inhibi.export.graph import build, write

REVIEWS = ["a good film", "", None, "  ", "bad", np.nan, "dull plot"]


def column(*cells: object) -> np.ndarray:
    return np.array(cells, object)


def test_columns_are_kept_and_answers_added(tiny_model: Path) -> None:
    given = {"id": np.arange(7), "review": column(*REVIEWS)}
    made = Classifier("review", model=tiny_model, batch=2)(given)
    assert list(made) == ["id", "review", "label", "probability"]
    assert all(made[name] is given[name] for name in given)
    answered = [0, 4, 6]
    expected = load(tiny_model).classify([str(REVIEWS[i]) for i in answered])
    assert made["label"][answered].tolist() == [answer.label for answer in expected]
    assert made["probability"][answered].tolist() == [answer.probability for answer in expected]
    others = [1, 2, 3, 5]
    assert made["label"][others].tolist() == [""] * 4
    assert np.isnan(made["probability"][others]).all()


@pytest.mark.parametrize("reviews", [[], [None], ["good"]])
def test_types_are_those_of_every_batch(reviews: list[str | None], tiny_model: Path) -> None:
    made = Classifier("review", model=tiny_model)({"review": column(*reviews)})
    assert made["label"].dtype.kind == "U"
    assert made["probability"].dtype == np.float64
    assert len(made["label"]) == len(made["probability"]) == len(reviews)


def test_names_that_are_taken_are_predicted(tiny_model: Path) -> None:
    made = Classifier("review", model=tiny_model)({"review": column("good"), "label": column(1)})
    assert list(made) == ["review", "label", "predicted_label", "probability"]


def test_a_regression_model_has_scores(tmp_path: Path) -> None:
    write(build(tiny_student(labels=("score",), problem="regression")), tmp_path / "scores.onnx")
    classify = Classifier("review", model=tmp_path / "scores.onnx")
    made = classify({"review": column("good film", None)})
    [expected] = load(tmp_path / "scores.onnx").classify(["good film"])
    assert list(made) == ["review", "score"]
    assert made["score"][0] == expected.score
    assert np.isnan(made["score"][1])


def test_settings_reach_the_model(tiny_model: Path) -> None:
    long = "good film " * 9 + "bad " * 9
    for length in (5, 40):
        classify = Classifier("review", model=tiny_model, max_length=length)
        [expected] = load(tiny_model).classify([long], length)
        assert classify({"review": column(long)})["probability"] == [expected.probability]
    with pytest.raises(InputError, match="maximum length 99 is out of range"):
        Classifier("review", model=tiny_model, max_length=99)


def test_mistakes_say_what_to_mend(tiny_model: Path) -> None:
    with pytest.raises(InputError, match="takes one text in each row"):
        Classifier("review", "reply", model=tiny_model)
    classify = Classifier("review", model=tiny_model)
    with pytest.raises(InputError, match="there is no column 'review' but text, id"):
        classify({"text": column("good"), "id": column(1)})
    with pytest.raises(InputError, match="column 'review' holds int, no texts"):
        classify({"review": column("good", 5)})
    with pytest.raises(InputError, match="column 'review' holds ndarray, no texts"):
        classify({"review": column("good", np.zeros(2))})


def test_a_pair_needs_both_texts(tmp_path: Path) -> None:
    path = tmp_path / "pair.onnx"
    write(build(replace(tiny_student(), task="mrpc", texts=2)), path)
    classify = Classifier("first", "second", model=path)
    made = classify({"second": column("bad", "bad", ""), "first": column("good", None, "good")})
    [expected] = load(path).classify([("good", "bad")])
    assert made["probability"][0] == expected.probability
    assert made["label"].tolist() == [expected.label, "", ""]
    with pytest.raises(InputError, match="takes a pair of texts in each row"):
        Classifier("first", model=path)


def test_a_missing_ray_is_named(tmp_path: Path, tiny_model: Path) -> None:
    (tmp_path / "in.csv").write_text("review\ngood\n")
    code = """
import sys
sys.modules["ray"] = None
from inhibi.engine.infer import main
main()
"""
    files = ("--file", str(tmp_path / "in.csv"), "--out", str(tmp_path / "out.csv"))
    options = (*files, "--model", str(tiny_model), "--text-column", "review", "--ray", "local")
    command = [sys.executable, "-c", code, *options]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 2
    [line] = ran.stderr.splitlines()
    assert "pip install 'inhibi[ray]'" in line
    assert not (tmp_path / "out.csv").exists()


def test_every_kind_of_null_is_no_text(tiny_model: Path) -> None:
    pandas = pytest.importorskip("pandas")
    nulls = column(None, np.nan, np.float32("nan"), pandas.NA)
    made = Classifier("review", model=tiny_model)({"review": nulls})
    assert made["label"].tolist() == [""] * 4
