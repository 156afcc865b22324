"""One model under many threads: the soak test, briefly, and that it sees what it is for."""

import json
import sys

import numpy as np
import pytest
from tiny import tiny_student

from benchmarks import soak
from inhibi.engine.model import Model, Prediction, load
from inhibi.export.graph import build, write

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/statm")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A tiny student that reads 512 tokens."""
    path = tmp_path_factory.mktemp("soak") / "long.onnx"
    write(build(tiny_student(max_tokens=512)), path)
    return load(path, threads=1)


def test_texts_have_every_length(model: Model) -> None:
    tokens = [sentence.tokens for sentence in model.encode(soak.make_texts(model))]
    assert (tokens[0], tokens[-1]) == (3, 512)
    assert tokens == sorted(tokens)
    assert len(set(tokens)) > 30


def test_threads_answer_as_one_does_in_flat_memory(model: Model) -> None:
    made = soak.soak(model, 2, 8)
    assert made.texts > 8 * soak.LARGEST
    assert made.differing == 0
    assert len(made.rss_mib) == 5
    assert made.passed, made


@pytest.mark.slow
def test_the_packaged_student_for_a_minute() -> None:
    made = soak.soak(load(threads=1), 60, 8)
    assert made.passed, made


def test_a_difference_and_a_leak_are_seen(
    model: Model, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    classify, kept = Model.classify, list[np.ndarray]()

    def wrong(self: Model, texts: list[str]) -> list[Prediction]:
        answers = classify(self, texts)
        return answers if len(texts) < soak.LARGEST else answers[::-1]

    def leaking(self: Model, texts: list[str]) -> list[Prediction]:
        kept.append(np.ones(2**18))  # 2 MiB
        return classify(self, texts)

    monkeypatch.setattr(soak, "load", lambda *_, **__: model)
    for mistaken, differs, grows in ((wrong, True, False), (leaking, False, True)):
        monkeypatch.setattr(Model, "classify", mistaken)
        with pytest.raises(SystemExit) as end:
            soak.main(["--seconds", "1", "--threads", "4"])
        found = json.loads(capsys.readouterr().out)
        assert end.value.code == 1
        assert (found["differing"] > 0) is differs
        assert (found["grown_mib"] > found["tolerance_mib"]) is grows


@pytest.mark.parametrize("option", ["--threads=0", "--seconds=-1", "--seconds=nan", "--seconds=x"])
def test_no_time_and_no_threads_pass_nothing(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        soak.main([option])
    assert end.value.code == 2
    assert f"argument {option.split('=')[0]}" in capsys.readouterr().err
