"""`infer --fp32`: a float checkpoint, made small and random here, in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import sys
from tokenizers import Tokenizer
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast
from tiny import VOCABULARY, tokenizer_json

config = BertConfig(
    vocab_size=len(VOCABULARY), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
    intermediate_size=16, max_position_embeddings=20, id2label={0: "cold", 1: "warm"},
)
BertForSequenceClassification(config).save_pretrained(sys.argv[1])
PreTrainedTokenizerFast(
    tokenizer_object=Tokenizer.from_str(tokenizer_json()), pad_token="[PAD]",
    cls_token="[CLS]", sep_token="[SEP]", unk_token="[UNK]", mask_token="[MASK]",
).save_pretrained(sys.argv[1])
from inhibi.engine.infer import main
main(["--fp32", "--json", "--model", sys.argv[1], "good film", "", "bad\\tdull", "a " * 50])
"""


@pytest.mark.slow
def test_a_float_checkpoint_is_run_for_comparison(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CODE, str(tmp_path / "checkpoint")]
    ran = subprocess.run(
        command, capture_output=True, timeout=300, check=False, cwd=Path(__file__).parent
    )
    out = ran.stdout.decode().splitlines()
    assert ran.returncode == 1, ran.stderr.decode()
    rows = [json.loads(line) for line in out]
    assert rows[1] == {"error": "text 2 is empty"}
    assert rows[0]["label"] in ("cold", "warm")
    assert isinstance(rows[0]["logits"][0], float)
    assert rows[2]["text"] == ["bad", "dull"]
    assert [row.get("tokens") for row in rows] == [4, None, 5, 20]
    assert rows[3]["truncated"]
