"""Models by name, without the hub: what wins, what is said, and `inhibi models`."""

import hashlib
import json
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from inhibi.engine import downloads, hub, load
from inhibi.engine.catalog import find, students
from inhibi.engine.cli import main
from inhibi.engine.downloads import Download
from inhibi.engine.errors import InputError, MissingExtra
from inhibi.engine.model import packaged

Fails = Callable[..., str]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("INHIBI_CACHE", str(folder))
    return folder


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def fetched(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hub names that are asked for; each gives the tiny student."""
    names: list[str] = []

    def fetch(name: str) -> Path:
        names.append(name)
        return tiny_model

    monkeypatch.setattr(hub, "fetch", fetch)
    return names


@pytest.fixture
def fails(capsys: pytest.CaptureFixture[str]) -> Fails:
    """Runs `inhibi` and gives its one line of error."""

    def run(*arguments: str) -> str:
        with pytest.raises(SystemExit) as stopped:
            main(list(arguments))
        shown = capsys.readouterr()
        [line] = shown.err.splitlines()
        assert (stopped.value.code, shown.out, line[:7]) == (2, "", "error: ")
        return line

    return run


def test_a_path_wins_over_every_name(here: Path, fetched: list[str]) -> None:
    for name in ("sst2", "acme/student"):
        (here / name).parent.mkdir(exist_ok=True)
        (here / name).write_bytes(b"")
        assert find(name) == Path(name)
    assert find(Path("acme/other")) == Path("acme/other")
    assert not fetched


def test_a_packaged_name_wins_over_the_hub(
    here: Path, fetched: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find("sst2") == packaged()
    monkeypatch.setattr("inhibi.engine.catalog.students", lambda: {"acme/student": packaged()})
    assert find("acme/student") == packaged()
    assert not fetched


@pytest.mark.parametrize(
    "name",
    [
        "acme/student",
        "acme/student@v1.0",
        "acme/student:int8/student.onnx",
        "acme/student@refs/pr/1:student.onnx",
    ],
)
def test_hub_names_are_asked_for(name: str, fetched: list[str], tiny_model: Path) -> None:
    assert find(name) == tiny_model
    assert fetched == [name]


@pytest.mark.parametrize(
    "name",
    [
        *("sst3", "runs/student.onnx", "./acme/student", "../a/b", "/acme/student", "acme/a/b"),
        *("acme/", "acme/student@", "acme/student:", "acme/student:weights.pkl", "a b/c", "-a/b"),
        *("C:\\runs\\student", "acme/student\n", "runs/student.onnx:student.onnx"),
    ],
)
def test_other_names_never_reach_the_hub(name: str, here: Path, fetched: list[str]) -> None:
    with pytest.raises(InputError, match=r"(?s)no model file .*\(sst2.*\).*owner/repo"):
        find(name)
    with pytest.raises(InputError, match="is no hub name"):
        hub._parts(name)
    assert not fetched


def test_every_command_takes_names(
    fetched: list[str], tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert load("acme/a").classify(["good film"])[0].label in ("negative", "positive")
    main(["infer", "--model", "acme/b", "good film"])
    main(["inspect", "acme/c"])
    main(["energy-report", "--model", "acme/d", "--tokens", "4"])
    assert fetched == ["acme/a", "acme/b", "acme/c", "acme/d"]
    assert str(tiny_model) in capsys.readouterr().out


def test_an_unknown_name_is_one_line(fails: Fails, here: Path) -> None:
    for command in (["infer", "text", "--model"], ["inspect"], ["energy-report", "--model"]):
        said = fails(*command, "sst3")
        assert "no model file sst3" in said
        assert ", ".join(students()) in said
        assert hub.FORM in said


def test_without_the_extra_it_is_named(fails: Fails, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    said = fails("infer", "text", "--model", "acme/student")
    assert "no model file acme/student" in said
    assert "pip install 'inhibi[hub]'" in said
    with pytest.raises(MissingExtra):
        find("acme/student")


@pytest.fixture
def downloaded(tiny_model: Path) -> Download:
    """A download in the record."""
    digest = hashlib.sha256(tiny_model.read_bytes()).hexdigest()
    made = Download("student.onnx", "0" * 40, digest, "sst2", "mit", str(tiny_model))
    downloads.write("acme/student", made)
    return made


def test_models_are_listed(
    downloaded: Download, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["models", "--json"])
    *ours, last = json.loads(capsys.readouterr().out)
    assert [model["name"] for model in ours] == list(students())
    for model, path in zip(ours, students().values(), strict=True):
        content = path.read_bytes()
        assert (model["path"], model["bytes"]) == (str(path), len(content))
        assert model["sha256"] == hashlib.sha256(content).hexdigest()
        run = json.loads(path.with_suffix(".json").read_bytes())
        published = run["models"]["integer"]["sets"]["validation"]["metrics"]
        assert (model["task"], model["scores"]["validation"]) == (run["task"], published)
        assert (model["source"], model["licence"]) == ("packaged", "Apache-2.0")
    assert last == {
        "name": "acme/student",
        "source": "hub",
        "task": "sst2",
        "scores": {},
        "bytes": tiny_model.stat().st_size,
        "licence": "mit",
        "sha256": downloaded.sha256,
        "path": str(tiny_model),
        "file": "student.onnx",
        "commit": "0" * 40,
    }


def test_models_are_shown_to_people(
    downloaded: Download, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    main(["models"])
    shown = capsys.readouterr().out
    for part in ("accuracy 90.4 %", "23.6 MB", "Apache-2.0", str(packaged())):
        assert part in shown
    for part in ("acme/student", "mit", "unknown", downloaded.sha256[:12], downloaded.path):
        assert part in shown
    assert downloaded.sha256 not in shown
    downloads.write("acme/student", replace(downloaded, path="/nowhere/student.onnx"))
    main(["models"])
    assert "not on disk" in capsys.readouterr().out


def test_a_download_is_forgotten(
    downloaded: Download, cache: Path, fails: Fails, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (cache / "hub" / "acme%2Fstudent.json").is_file()
    assert "not among the downloaded models: acme/student" in fails("models", "--forget", "sst2")
    assert downloads.read() == {"acme/student": downloaded}
    main(["models", "--forget", "acme/student"])
    assert "acme/student is forgotten" in capsys.readouterr().err
    assert downloads.read() == {}


@pytest.mark.parametrize("content", ["", "[]", "3", '{"file": 1}', '{"file": "x"}', "\xff"])
def test_a_damaged_record_is_one_line(content: str, cache: Path, fails: Fails) -> None:
    (cache / "hub").mkdir(parents=True)
    (cache / "hub" / "a%2Fb.json").write_bytes(content.encode("latin-1"))
    assert "a%2Fb.json is damaged" in fails("models")


def test_a_wrong_type_in_the_record_is_damage(downloaded: Download, fails: Fails) -> None:
    path = downloads.record("acme/student")
    path.write_text(path.read_text("utf-8").replace('"mit"', "3"))
    assert "acme%2Fstudent.json is damaged" in fails("models")


def test_where_the_record_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert downloads.folder() == tmp_path / "cache" / "hub"
    monkeypatch.delenv("INHIBI_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert downloads.folder() == tmp_path / "inhibi" / "hub"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert downloads.folder() == Path.home() / ".cache" / "inhibi" / "hub"


def test_a_record_that_cannot_be_written_is_one_line(cache: Path) -> None:
    cache.write_text("a file")
    with pytest.raises(InputError, match=r"cannot write .*b\.json"):
        downloads.write("a/b", Download(*"123456"))


def test_names_at_once_lose_nothing_of_each_other() -> None:
    """Each has a file of its own, whatever stands in it."""
    names = ["a/b", "a/b@v1", "a/b:c.onnx", "a/b_c"]
    made = {name: Download(name, *"23456") for name in names}
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(downloads.write, made.keys(), made.values()))
    assert downloads.read() == made
    assert downloads.find("a/c") is None
