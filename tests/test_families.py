"""Checkpoints of the BERT and DistilBERT families as the hub has them: how they are loaded, and two
of them from `qat-train` to `infer`."""

import json
from pathlib import Path

import pyarrow as pa
import pytest
import torch
from pyarrow import parquet
from tiny_run import train
from tiny_teacher import save_data, tiny_bert, tiny_distilbert, tiny_tokenizer
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForPreTraining,
    BertModel,
    BertTokenizer,
    DistilBertForMaskedLM,
    DistilBertModel,
    PreTrainedModel,
)

from inhibi.engine import load as open_file
from inhibi.engine.errors import InputError
from inhibi.engine.infer import main as infer
from inhibi.eval.glue import main as glue_eval
from inhibi.export.cli import main as export_onnx
from inhibi.kd.data import find_task
from inhibi.kd.families import parts
from inhibi.kd.predict import load_tokenizer, logits
from inhibi.kd.pretrained import load_pretrained
from inhibi.kd.student import load
from inhibi.qat.student import load as load_quantized

SST2 = find_task("sst2")
LETTERS = "abcdefghijklmnopqrstuvwxyz"
WORDS = ["good", "Good", "bad", "film", "caf", "##é", "##e", "中", "文", "中文"]
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
VOCABULARY += [*LETTERS, *LETTERS.upper(), *(f"##{letter}" for letter in LETTERS if letter != "e")]
MIXED = "Good good café 中文"


@pytest.mark.parametrize(
    ("kind", "make"),
    [
        (BertModel, tiny_bert),  # no prefix "bert."
        (BertForMaskedLM, tiny_bert),
        (BertForPreTraining, tiny_bert),
        (DistilBertModel, tiny_distilbert),
        (DistilBertForMaskedLM, tiny_distilbert),
    ],
)
def test_a_checkpoint_without_a_classifier(
    kind: type[PreTrainedModel], make: type[PreTrainedModel], tmp_path: Path
) -> None:
    config = make().config
    torch.manual_seed(1)
    saved = kind(config)
    saved.save_pretrained(tmp_path)
    made = load_pretrained(str(tmp_path), SST2, trained=False)
    assert made.classifier.out_features == 2
    for name, value in saved.base_model.state_dict().items():
        if "pooler" not in name:
            assert torch.equal(made.base_model.state_dict()[name], value), name


def test_half_precision_becomes_float32(tmp_path: Path) -> None:
    half = tiny_bert().half()
    half.save_pretrained(tmp_path)
    for made in (load_pretrained(str(tmp_path), SST2, trained=True), load(tmp_path)):
        assert made.dtype == torch.float32
        for name, value in half.state_dict().items():
            assert torch.equal(made.state_dict()[name], value.float()), name


def test_shards(tmp_path: Path) -> None:
    whole = tiny_bert()
    whole.save_pretrained(tmp_path, max_shard_size="6KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 2
    for made in (load_pretrained(str(tmp_path), SST2, trained=True), load(tmp_path)):
        for name, value in whole.state_dict().items():
            assert torch.equal(made.state_dict()[name], value), name


def test_pickled_weights_are_refused_in_one_line(tmp_path: Path) -> None:
    model = tiny_bert()
    model.config.save_pretrained(tmp_path)
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match="save the checkpoint with safetensors") as caught:
        load_pretrained(str(tmp_path), SST2, trained=False)
    assert "\n" not in str(caught.value)


def test_relative_positions_are_refused(tmp_path: Path) -> None:
    tiny_bert().save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["position_embedding_type"] = "relative_key"
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="has relative positions"):
        load_pretrained(str(tmp_path), SST2, trained=False)


def save(folder: Path, model: PreTrainedModel, **tokenizer: object) -> Path:
    """A checkpoint whose tokenizer is `vocab.txt` and its settings, as older ones on the hub."""
    model.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY), "utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    return folder


@pytest.mark.parametrize(
    ("settings", "tokens"),
    [
        ({"do_lower_case": False}, ["Good", "good", "caf", "##é", "中", "文"]),
        ({"do_lower_case": True}, ["good", "good", "caf", "##e", "中", "文"]),
        (
            {"do_lower_case": True, "strip_accents": False},
            ["good"] * 2 + ["caf", "##é", "中", "文"],
        ),
        (
            {"do_lower_case": False, "strip_accents": True},
            ["Good", "good", "caf", "##e", "中", "文"],
        ),
        (
            {"do_lower_case": False, "tokenize_chinese_chars": False},
            ["Good", "good", "caf", "##é", "中文"],
        ),
    ],
)
def test_cased_and_multilingual_tokenizers(
    settings: dict[str, bool], tokens: list[str], tmp_path: Path
) -> None:
    BertConfig().save_pretrained(tmp_path)
    (tmp_path / "vocab.txt").write_text("\n".join(VOCABULARY), "utf-8")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    made = load_tokenizer(tmp_path)
    assert isinstance(made, BertTokenizer)
    assert made.tokenize(MIXED) == tokens


def test_pairs_have_token_types_whatever_the_tokenizer_was_saved_with(tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.model_input_names = ["input_ids", "attention_mask"]
    tokenizer.save_pretrained(tmp_path)
    assert load_tokenizer(tmp_path)("a", "b")["token_type_ids"] == [0, 0, 0, 1, 1]
    tokenizer.pad_token = None
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(InputError, match="has no pad_token"):
        load_tokenizer(tmp_path)


@pytest.mark.slow
def test_a_cased_bert_without_a_head_learns_three_labels(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Half precision, another activation, pairs of texts; to `infer`, post-training included."""
    inputs = tmp_path / "inputs"
    config = tiny_bert().config
    config.vocab_size, config.hidden_act = len(VOCABULARY), "gelu_new"
    save(inputs / "teacher", BertModel(config).half(), do_lower_case=False)
    pairs = {"premise": ["Good film", "bad", "A film"] * 8, "hypothesis": ["good", "Bad", "c"] * 8}
    table = pa.table(pairs | {"label": [0, 1, 2] * 8})
    (inputs / "data" / "glue" / "mnli").mkdir(parents=True)
    for split in ("train", "validation_matched"):
        parquet.write_table(table, inputs / "data" / "glue" / "mnli" / f"{split}.parquet")
    recipe = "max_length = 24\n[teacher]\nsteps = 2\n[distill]\nsteps = 2\n[qat]\nsteps = 2\n"
    recipe += "calibration_batches = 2\n"
    run = train(inputs, tmp_path / "run", "--no-qat", task="mnli", recipe=recipe)
    assert not (run / "qat").exists()
    train(inputs, run, "--resume", task="mnli", recipe=recipe)
    for more in ((), ("--no-qat",)):
        export_onnx([str(run), "-o", str(tmp_path / "student.onnx"), *more])
    capfd.readouterr()
    infer(["--model", str(tmp_path / "student.onnx"), "--json", "Good film\tBad café"])
    answer = json.loads(capfd.readouterr().out)
    assert answer["label"] in ("entailment", "neutral", "contradiction")
    assert len(answer["logits"]) == 3
    tokenizer = load_tokenizer(inputs / "teacher")
    [encoded] = open_file(tmp_path / "student.onnx").encode([("Good film", "Bad café")])
    expected = tokenizer("Good film", "Bad café")
    assert encoded.ids == expected["input_ids"]
    assert encoded.type_ids == expected["token_type_ids"]
    assert parts(load(run / "distill")).activation(torch.ones(1)) == pytest.approx(0.8412, abs=1e-4)


@pytest.mark.slow
def test_a_multilingual_distilbert_as_a_float_student(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """From a masked language model with ReLU to `infer --fp32`, `glue-eval` and the file."""
    inputs = tmp_path / "inputs"
    config = tiny_distilbert().config
    config.vocab_size, config.activation = len(VOCABULARY), "relu"
    model = DistilBertForMaskedLM(config)
    save(inputs / "teacher", model, do_lower_case=False, tokenize_chinese_chars=False)
    save_data(inputs / "data")
    recipe = "max_length = 24\n[teacher]\nsteps = 2\n[align]\nsteps = 2\n[distill]\nsteps = 2\n"
    recipe += "[qat]\ncalibration_batches = 2\n"
    run = train(inputs, tmp_path / "run", "--no-qat", recipe=recipe)
    folder = run / "distill"
    capfd.readouterr()
    infer(["--fp32", "--model", str(folder), "--json", MIXED])
    answer = json.loads(capfd.readouterr().out)
    expected = logits(load(folder), load_tokenizer(inputs / "teacher"), [MIXED])
    assert answer["logits"] == expected[0].tolist()
    assert answer["tokens"] == 7
    glue_eval(
        ["--task", "sst2", "--model", str(folder), "--data-dir", str(inputs / "data"), "--json"]
    )
    assert json.loads(capfd.readouterr().out)["metrics"].keys() == {"accuracy"}
    export_onnx(["--no-qat", str(run), "-o", str(tmp_path / "student.onnx")])
    made = open_file(tmp_path / "student.onnx")
    assert made.encode([MIXED])[0].tokens == 7
    integers = made.logits([MIXED]) * made.metadata.output_scale
    quantized = logits(load_quantized(run / "ptq"), load_tokenizer(folder), [MIXED])
    assert abs(integers - quantized).max() < 0.05 * abs(quantized).max()
