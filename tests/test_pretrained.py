"""Pretrained checkpoints: heads are matched by label names; students, other families refused."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from datasets import ClassLabel, Dataset
from tiny_teacher import change_config, save_teacher, tiny_bert, tiny_tokenizer, truncate
from transformers import (
    BertForSequenceClassification,
    BertModel,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from inhibi.engine.errors import InputError
from inhibi.kd.attention import InhibitorSettings
from inhibi.kd.data import find_task
from inhibi.kd.examples import label_ids
from inhibi.kd.predict import load_tokenizer, logits
from inhibi.kd.pretrained import load_pretrained
from inhibi.kd.student import make_student

SST2 = find_task("sst2")
TEXTS = ["a good film", "it was bad"]


def test_a_fine_tuned_head_is_put_in_the_tasks_order(tmp_path: Path) -> None:
    model = tiny_bert()
    expected = logits(model, tiny_tokenizer(), TEXTS)
    save_teacher(tmp_path, model)
    assert (
        logits(load_pretrained(str(tmp_path), SST2, True), tiny_tokenizer(), TEXTS) == expected
    ).all()
    model.config.id2label = {0: "POSITIVE", 1: "negative"}
    save_teacher(tmp_path, model)
    teacher = load_pretrained(str(tmp_path), SST2, True)
    assert (logits(teacher, tiny_tokenizer(), TEXTS) == expected[:, ::-1]).all()
    assert teacher.config.id2label == {0: "negative", 1: "positive"}


@pytest.mark.parametrize("names", [{0: "LABEL_0", 1: "LABEL_1"}, {0: "a", 1: "b", 2: "c"}])
def test_a_head_of_other_labels_has_to_be_trained(names: dict[int, str], tmp_path: Path) -> None:
    config = tiny_bert().config
    config.id2label = names
    model = BertForSequenceClassification(config) if len(names) == 2 else BertModel(config)
    model.save_pretrained(tmp_path)
    with pytest.raises(InputError, match="has no head with the labels negative, positive"):
        load_pretrained(str(tmp_path), SST2, trained=True)
    assert load_pretrained(str(tmp_path), SST2, trained=False).classifier.out_features == 2


def test_a_student_is_no_teacher(tmp_path: Path) -> None:
    save_teacher(tmp_path, make_student(tiny_bert(), InhibitorSettings()))
    with pytest.raises(InputError, match="is an inhibitor student"):
        load_pretrained(str(tmp_path), SST2, trained=False)


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: truncate(folder / "model.safetensors"),
        lambda folder: (folder / "model.safetensors").write_bytes(b""),
        lambda folder: truncate(folder / "config.json"),
        lambda folder: change_config(folder, id2label={"1": "a", "2": "b"}),
        lambda folder: change_config(folder, hidden_size="wide"),
    ],
)
def test_a_damaged_teacher_is_one_line(damage: Callable[[Path], None], tmp_path: Path) -> None:
    save_teacher(tmp_path)
    damage(tmp_path)
    with pytest.raises(InputError, match=f"no checkpoint {tmp_path}: "):
        load_pretrained(str(tmp_path), SST2, trained=False)


@pytest.mark.parametrize("content", ["", "{}", "[]"])
def test_a_damaged_tokenizer_is_one_line(content: str, tmp_path: Path) -> None:
    tiny_tokenizer().save_pretrained(tmp_path)
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(InputError, match=f"no tokenizer at {tmp_path}: "):
        load_tokenizer(tmp_path)


def test_other_families_are_refused(tmp_path: Path) -> None:
    config = RobertaConfig(vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=1)
    RobertaForSequenceClassification(config).save_pretrained(tmp_path)
    with pytest.raises(InputError, match="'roberta' is not supported"):
        load_pretrained(str(tmp_path), SST2, trained=False)


def test_no_teacher_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no checkpoint"):
        load_pretrained(str(tmp_path / "nowhere"), SST2, trained=False)


def test_a_regression_gets_one_logit(tmp_path: Path) -> None:
    save_teacher(tmp_path)
    teacher = load_pretrained(str(tmp_path), find_task("stsb"), trained=False)
    assert logits(teacher, tiny_tokenizer(), TEXTS).shape == (2, 1)
    assert teacher.config.problem_type == "regression"


def test_data_labels_are_matched_by_name() -> None:
    rows = Dataset.from_dict({"sentence": TEXTS, "label": [0, 1]})
    assert label_ids(rows, SST2) == [0, 1]
    named = rows.cast_column("label", ClassLabel(names=["positive", "negative"]))
    assert label_ids(named, SST2) == [1, 0]
    with pytest.raises(InputError, match="the data have good, bad"):
        label_ids(rows.cast_column("label", ClassLabel(names=["good", "bad"])), SST2)
    scores = Dataset.from_dict({"label": np.array([0.5, 4.0])})
    assert label_ids(scores, replace(SST2, labels=None)) == [0.5, 4]
