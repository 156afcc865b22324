"""Checkpoints of students: nothing of the inhibitor is ever lost on the way."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_teacher import (
    change_config,
    save_teacher,
    tiny_bert,
    tiny_distilbert,
    tiny_tokenizer,
    truncate,
)
from tokenizers import Tokenizer, models
from transformers import PreTrainedModel, PreTrainedTokenizerFast, RobertaConfig
from transformers import RobertaForSequenceClassification as Roberta

from inhibi.engine.errors import InputError
from inhibi.kd.attention import InhibitorSettings
from inhibi.kd.families import parts
from inhibi.kd.predict import load_tokenizer, logits
from inhibi.kd.student import load, make_student

TEXTS = ["a good film", "the plot is not very dull but it was cold", "bad"]
PREDICT = """
import sys
from inhibi.kd.predict import load_tokenizer, logits
from inhibi.kd.student import load
folder, *texts = sys.argv[1:]
print(logits(load(folder), load_tokenizer(folder), texts).tolist())
"""


def student(teacher: PreTrainedModel, **settings: object) -> PreTrainedModel:
    """With scalars that no default would give."""
    made = make_student(teacher, InhibitorSettings(**settings)).eval()  # type: ignore[arg-type]
    with torch.no_grad():
        for layer in parts(made).layers:
            layer.attention.inhibitor.alpha.uniform_(0.2, 0.9)  # type: ignore[union-attr,operator]
    return made


@pytest.fixture(params=[tiny_bert, tiny_distilbert])
def teacher(request: pytest.FixtureRequest) -> PreTrainedModel:
    made: PreTrainedModel = request.param()
    return made


@pytest.mark.slow
def test_a_new_process_gives_the_same_logits(teacher: PreTrainedModel, tmp_path: Path) -> None:
    made = student(teacher)
    save_teacher(tmp_path, made)
    here = logits(made, tiny_tokenizer(), TEXTS).tolist()
    command = [sys.executable, "-c", PREDICT, str(tmp_path), *TEXTS]
    there = subprocess.run(command, capture_output=True, check=True, text=True, timeout=300)
    assert json.loads(there.stdout) == here


def test_alpha_matters_and_the_teacher_differs(teacher: PreTrainedModel, tmp_path: Path) -> None:
    save_teacher(tmp_path, student(teacher))
    before = logits(load(tmp_path), tiny_tokenizer(), TEXTS)
    weights = load_file(tmp_path / "model.safetensors")
    name = next(key for key in weights if key.endswith("alpha"))
    weights[name] += 0.5
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    assert (logits(load(tmp_path), tiny_tokenizer(), TEXTS) != before).any()
    assert (logits(teacher, tiny_tokenizer(), TEXTS) != before).any()


def test_the_students_weights_are_the_teachers(teacher: PreTrainedModel) -> None:
    made = dict(student(teacher).named_parameters())
    for name, parameter in teacher.named_parameters():
        assert torch.equal(made[name], parameter)


@pytest.mark.parametrize("change", ["missing", "unknown"])
def test_no_key_may_be_missing_or_unknown(change: str, tmp_path: Path) -> None:
    save_teacher(tmp_path, student(tiny_bert()))
    weights = load_file(tmp_path / "model.safetensors")
    if change == "missing":
        del weights[next(key for key in weights if key.endswith("gamma"))]
    else:
        weights["gamma"] = torch.ones(1)
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match=f"gamma {change}"):
        load(tmp_path)


def test_a_config_without_the_inhibitor_is_refused(tmp_path: Path) -> None:
    """What transformers would run with softmax attention after dropping gamma, alpha, beta."""
    save_teacher(tmp_path, student(tiny_bert()))
    config = json.loads((tmp_path / "config.json").read_text())
    del config["inhibitor"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="alpha unknown"):
        load(tmp_path)


@pytest.mark.slow
def test_transformers_alone_refuses_a_student(tmp_path: Path) -> None:
    save_teacher(tmp_path, student(tiny_bert()))
    code = (
        "import sys, transformers\n"
        "transformers.AutoModelForSequenceClassification.from_pretrained(sys.argv[1])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=300
    )
    assert ran.returncode != 0
    assert 'attn_implementation="inhibitor"` is not supported' in ran.stderr


def test_settings_are_kept(tmp_path: Path) -> None:
    save_teacher(tmp_path, student(tiny_bert(), scope="layer", signed=False, n0=0.0))
    inhibitor = parts(load(tmp_path)).layers[0].attention.inhibitor
    assert inhibitor.settings == InhibitorSettings(scope="layer", signed=False, n0=0.0)  # type: ignore[union-attr]


def test_pickled_weights_are_not_loaded(tmp_path: Path) -> None:
    save_teacher(tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match="never loaded"):
        load(tmp_path)


def test_a_folder_without_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no config\.json"):
        load(tmp_path)


def test_other_families_are_refused() -> None:
    config = RobertaConfig(vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=1)
    with pytest.raises(InputError, match="'roberta' is not supported"):
        parts(Roberta(config))


def test_other_tokenizers_are_refused(tmp_path: Path) -> None:
    bpe = Tokenizer(models.BPE(vocab={"a": 0, "<unk>": 1}, merges=[], unk_token="<unk>"))
    PreTrainedTokenizerFast(tokenizer_object=bpe, unk_token="<unk>").save_pretrained(tmp_path)
    with pytest.raises(InputError, match="is BPE: only WordPiece"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: truncate(folder / "model.safetensors"), "damaged or incomplete"),
        (lambda folder: truncate(folder / "config.json"), r"config\.json is damaged"),
        (lambda folder: (folder / "config.json").write_text("[]"), r"config\.json is damaged"),
        (lambda folder: change_config(folder, intermediate_size=7), "size mismatch"),
        (lambda folder: change_config(folder, inhibitor={"strength": 1}), "'strength'"),
        (lambda folder: change_config(folder, inhibitor={"scope": "all"}), "scope is 'all'"),
        (lambda folder: change_config(folder, quantization={}), "a quantized student: .*export-on"),
    ],
)
def test_a_damaged_checkpoint_is_one_line(
    damage: Callable[[Path], None], message: str, tmp_path: Path
) -> None:
    save_teacher(tmp_path, student(tiny_bert()))
    damage(tmp_path)
    with pytest.raises(InputError, match=message) as caught:
        load(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_runs_folder_names_its_checkpoints(tmp_path: Path) -> None:
    for stage in ("teacher", "distill"):
        tiny_bert().config.save_pretrained(tmp_path / stage)
    with pytest.raises(InputError, match=f"choose {tmp_path}/teacher or {tmp_path}/distill"):
        load(tmp_path)
