"""Cutting a vocabulary by frequency: what stays, and that what stays computes the same."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tiny import SENTENCE, SPECIAL, VOCABULARY, tokenizer_json
from tiny_run import train
from tiny_teacher import save_data, save_teacher, tiny_bert, tiny_distilbert
from tokenizers import Tokenizer, models, processors
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from inhibi.engine import load as open_file
from inhibi.engine.cli import main
from inhibi.engine.errors import InputError
from inhibi.engine.text import Text
from inhibi.export.cli import export
from inhibi.kd.families import parts
from inhibi.kd.predict import load_tokenizer, logits
from inhibi.kd.pretrained import read_classifier
from inhibi.kd.student import load
from inhibi.kd.vocabulary import count_tokens, cut_embeddings, cut_tokenizer, frequent_tokens

# An unused row before the special tokens, as BERT has some, so that each gets another number; the
# last ones have characters that are not ASCII.
TOKENS = ["[unused1]", *VOCABULARY, "æ", "##æ", "ægis", "ø"]
KEPT = ["a good film", "it was not good , very bad !", ""]
COUNTED = [*KEPT, *KEPT, "ægis [SEP] film"]
CHARACTERS = [token for token in VOCABULARY if len(token.removeprefix("##")) == 1]
ROWS = 5 + len(CHARACTERS) + 2 + 7  # special tokens, characters, æ and ##æ, words of KEPT
Processor = processors.TemplateProcessing | processors.BertProcessing
PROCESSORS = [
    processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(name, TOKENS.index(name)) for name in ("[CLS]", "[SEP]")],
    ),
    processors.BertProcessing(
        *((name, TOKENS.index(name)) for name in ("[SEP]", "[CLS]")),
    ),
]


def tokenizer_of(processor: Processor = PROCESSORS[0]) -> PreTrainedTokenizerFast:
    library = Tokenizer.from_str(tokenizer_json())
    ids = {token: number for number, token in enumerate(TOKENS)}
    library.model = models.WordPiece(ids, unk_token="[UNK]")
    library.post_processor = processor
    library.enable_truncation(4)  # many checkpoints' tokenizers cut texts and pad them
    library.enable_padding(pad_id=TOKENS.index("[PAD]"), length=30)
    return PreTrainedTokenizerFast(
        tokenizer_object=library,
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        unk_token="[UNK]",
        mask_token="[MASK]",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )


def read(tokenizer: PreTrainedTokenizerFast, text: Text) -> tuple[list[str], list[int]]:
    """Tokens and token types of a text or a pair."""
    encoded = tokenizer(*([text] if isinstance(text, str) else text))
    return tokenizer.convert_ids_to_tokens(encoded["input_ids"]), encoded["token_type_ids"]


@pytest.fixture(params=[tiny_bert, tiny_distilbert])
def model(request: pytest.FixtureRequest) -> PreTrainedModel:
    made: PreTrainedModel = request.param()
    made.set_input_embeddings(torch.nn.Embedding(len(TOKENS), 16, TOKENS.index("[PAD]")))
    made.config.vocab_size = len(TOKENS)
    made.config.pad_token_id = TOKENS.index("[PAD]")
    return made.eval()


def kept(tokenizer: PreTrainedTokenizerFast) -> list[str]:
    return frequent_tokens(count_tokens(COUNTED, tokenizer), tokenizer, ROWS, seen_characters=True)


def test_whole_texts_are_counted() -> None:
    counts = count_tokens(COUNTED, tokenizer_of())
    assert counts["good"] == 4
    assert counts["film"] == 3
    assert counts["!"] == 2  # behind the tokenizer's own end of a text
    assert counts["[CLS]"] == counts["[PAD]"] == 0
    assert counts["ægis"] == 1


def test_special_tokens_characters_and_frequent_words_stay() -> None:
    tokens = kept(tokenizer_of())
    words = [token for token in tokens if token in SENTENCE.split() and len(token) > 1]
    assert {*words} == {"good", "film", "it", "was", "not", "very", "bad"}
    assert {*SPECIAL, *CHARACTERS, "æ", "##æ"} < {*tokens}
    assert not {"ø", "ægis", "movie"} & {*tokens}
    assert len(tokens) == ROWS
    assert tokens == [token for token in TOKENS if token in tokens]


def test_single_characters_always_stay() -> None:
    tokenizer = tokenizer_of()
    tokens = frequent_tokens(count_tokens(COUNTED, tokenizer), tokenizer, len(TOKENS) - 1)
    assert {t for t in TOKENS if len(t.removeprefix("##")) == 1} <= {*tokens}
    assert "ø" in tokens


def test_of_equally_frequent_words_the_first_stay() -> None:
    tokenizer = tokenizer_of()
    least = len(CHARACTERS) + 5
    counts = Counter({"movie": 2, "dull": 2, "good": 2, "warm": 3})
    tokens = frequent_tokens(counts, tokenizer, least + 3, True)
    new = [token for token in tokens if len(token) > 1 and token in SENTENCE.split()]
    assert new == ["dull", "good", "warm"]
    with pytest.raises(InputError, match=f"alone are {least} rows: {least - 1} are too few"):
        frequent_tokens(counts, tokenizer, least - 1, True)
    with pytest.raises(InputError, match=f"has {len(TOKENS)} rows: {len(TOKENS) + 1} are more"):
        frequent_tokens(counts, tokenizer, len(TOKENS) + 1)
    assert frequent_tokens(counts, tokenizer, len(TOKENS)) == TOKENS


@pytest.mark.parametrize("processor", PROCESSORS)
def test_texts_of_kept_words_compute_the_same(
    model: PreTrainedModel, processor: Processor, tmp_path: Path
) -> None:
    tokenizer = tokenizer_of(processor)
    tokens = kept(tokenizer)
    texts: list[Text] = [*KEPT, ("a good film", "very bad")]
    expected = logits(model, tokenizer, texts)
    cut_embeddings(model, tokenizer.convert_tokens_to_ids(tokens))
    save_teacher(tmp_path, model)
    cut_tokenizer(tokenizer, tokens).save_pretrained(tmp_path)
    cut, again = load_tokenizer(tmp_path), load(tmp_path)
    assert len(cut) == parts(again).word.num_embeddings == ROWS
    assert again.config.pad_token_id == cut.pad_token_id == parts(again).word.padding_idx
    for text in texts:
        assert read(cut, text) == read(tokenizer, text)
    assert (logits(again, cut, texts) == expected).all()


def test_dropped_words_fall_to_pieces() -> None:
    tokenizer = tokenizer_of()
    cut = cut_tokenizer(tokenizer, kept(tokenizer))
    assert "movie" in TOKENS
    assert cut.tokenize("Movie , good") == ["m", "##o", "##v", "##i", "##e", ",", "good"]
    for word in TOKENS[6:-1]:
        assert "[UNK]" not in cut.tokenize(word.removeprefix("##")), word
    assert cut.tokenize("ø") == ["[UNK]"]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fine-tuned teacher and data."""
    folder = tmp_path_factory.mktemp("inputs")
    save_teacher(folder / "whole", tiny_bert(layers=4, hidden=24, heads=3))
    save_data(folder / "data")
    return folder


LEAST = 5 + len(CHARACTERS)


@pytest.mark.slow
def test_from_a_teacher_to_a_small_students_file(
    inputs: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    teacher, data = str(tmp_path / "teacher"), str(inputs / "data")
    whole = str(inputs / "whole")
    rows = str(LEAST + 4)
    main(
        [
            "cut-vocabulary",
            whole,
            "--task",
            "sst2",
            "--data-dir",
            data,
            "--rows",
            rows,
            "-o",
            teacher,
        ]
    )
    assert f"{LEAST + 4} of {len(VOCABULARY)} rows" in capfd.readouterr().out
    assert (tmp_path / "teacher" / "config.json").is_file()
    sizes = ("--layers", "2", "--hidden", "16", "--heads", "2", "--intermediate", "32")
    main(["shrink", teacher, *sizes, "--tokens", "24", "-o", str(tmp_path / "small")])
    (tmp_path / "data").symlink_to(inputs / "data")
    run = train(tmp_path, tmp_path / "run", "--student", str(tmp_path / "small"))
    export(run, tmp_path / "student.onnx")
    made = open_file(tmp_path / "student.onnx").metadata
    assert (made.layers, made.hidden, made.heads, made.intermediate) == (2, 16, 2, 32)
    assert (made.vocabulary, made.max_tokens) == (LEAST + 4, 24)


@pytest.fixture
def fails(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs `inhibi`, which must end with one line and status 2; the line."""

    def run(*arguments: str) -> str:
        with pytest.raises(SystemExit) as ended:
            main([*map(str, arguments)])
        assert ended.value.code == 2
        [line] = capsys.readouterr().err.splitlines()
        return line

    return run


def test_mistakes_are_one_line(inputs: Path, tmp_path: Path, fails: Callable[..., str]) -> None:
    whole, out = inputs / "whole", tmp_path / "out"
    table = tmp_path / "own.csv"
    table.write_text("text,label\n...,0\n\u200b,1\n")
    cut = ("cut-vocabulary", whole, "-o", out)
    task = ("--task", "sst2", "--data-dir", inputs / "data")
    assert "name texts to count over" in fails(*cut, "--rows", 100)
    assert "rows: 1,000 are more" in fails(*cut, *task, "--rows", 1000)
    assert "rows: 10 are too few" in fails(*cut, *task, "--rows", 10)
    assert "--text-column is of use with --train only" in fails(
        *cut, *task, "--rows", 100, "--text-column", "review"
    )
    assert "unknown task 'sst3'" in fails(*cut, "--task", "sst3", "--rows", 100)
    assert "no tokenizer at" in fails("cut-vocabulary", tmp_path, "-o", out, *task, "--rows", 100)
    assert "is the checkpoint that is read" in fails(
        "cut-vocabulary", whole, "-o", whole, *task, "--rows", LEAST
    )
    shrink = ("shrink", whole, "-o", out)
    assert "5 heads do not divide a width of 24" in fails(*shrink, "--heads", 5)
    assert "width is 24, 48 is more" in fails(*shrink, "--hidden", 48)
    assert "positions is 40, 64 is more" in fails(*shrink, "--tokens", 64)
    assert not out.exists()
    assert "own.csv is no folder" in fails("shrink", whole, "-o", table, "--layers", 1)
    assert table.read_text().startswith("text,label")


def test_texts_without_words_are_refused() -> None:
    with pytest.raises(InputError, match="the texts are empty"):
        count_tokens(["", " "], tokenizer_of())


def test_another_kind_of_tokenizer_is_refused(
    inputs: Path, tmp_path: Path, fails: Callable[..., str]
) -> None:
    (tmp_path / "other").mkdir()
    for file in (inputs / "whole").iterdir():
        (tmp_path / "other" / file.name).write_bytes(file.read_bytes())
    content = json.loads((tmp_path / "other" / "tokenizer.json").read_text())
    content["model"] = {
        "type": "WordLevel",
        "vocab": content["model"]["vocab"],
        "unk_token": "[UNK]",
    }
    (tmp_path / "other" / "tokenizer.json").write_text(json.dumps(content))
    assert "is WordLevel: only WordPiece" in fails(
        *("cut-vocabulary", tmp_path / "other", "-o", tmp_path / "out", "--rows", LEAST),
        *("--task", "sst2", "--data-dir", inputs / "data"),
    )


def test_an_encoder_without_a_head_gives_the_same_checkpoint_each_time(
    inputs: Path, tmp_path: Path
) -> None:
    save_teacher(tmp_path / "encoder", tiny_bert().bert)
    made = []
    for out in (tmp_path / "first", tmp_path / "again"):
        task = ("--task", "sst2", "--data-dir", str(inputs / "data"))
        cut = ("cut-vocabulary", str(tmp_path / "encoder"), "-o", str(out), *task)
        main([*cut, "--rows", str(LEAST)])
        made.append((out / "model.safetensors").read_bytes())
    assert made[0] == made[1]


def test_own_tables_and_text_files_are_counted(inputs: Path, tmp_path: Path) -> None:
    table = tmp_path / "own.csv"
    table.write_text("review,stars\ncold cold movie,1\nwarm movie,2\n")
    main(
        [
            *("cut-vocabulary", str(inputs / "whole"), "--rows", str(LEAST + 2)),
            *("--train", str(table), "--text-column", "review", "--label-column", "stars"),
            *("-o", str(tmp_path / "out")),
        ]
    )
    words = {*load_tokenizer(tmp_path / "out").get_vocab()} & {*SENTENCE.split()} - {*CHARACTERS}
    assert words == {"cold", "movie"}
    assert read_classifier(str(tmp_path / "out"))[0].config.vocab_size == LEAST + 2
