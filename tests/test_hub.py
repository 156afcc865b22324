"""Models from the hub: the real library against a hub on this machine."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import huggingface_hub
import onnx
import pytest
from huggingface_hub import constants
from huggingface_hub.hf_api import ModelInfo
from stand_in_hub import REPO, Hub, serving
from tiny import tiny_student

from inhibi.engine import downloads
from inhibi.engine.catalog import find
from inhibi.engine.cli import main
from inhibi.export.graph import build, write

FILES = "{repo_id}/resolve/{revision}/{filename}"
NOBODY = "http://127.0.0.1:9"  # the port of "discard", where nothing listens

Fails = Callable[[str], str]


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of a tiny random student."""
    path = tmp_path_factory.mktemp("student") / "tiny.onnx"
    write(build(replace(tiny_student(), task="sst2")), path)
    return path


@pytest.fixture
def stand_in(student: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The hub that the library asks; its cache and the record are new."""
    monkeypatch.setenv("INHIBI_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with serving(Hub({"README.md": b"", "student.onnx": student.read_bytes()})) as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", f"{hub.url}/{FILES}")
        yield hub


@pytest.fixture
def fails(stand_in: Hub, capsys: pytest.CaptureFixture[str]) -> Fails:
    """Runs `infer` with a model and gives its last line, an error."""

    def run(name: str) -> str:
        with pytest.raises(SystemExit) as stopped:
            main(["infer", "--model", name, "good film"])
        shown = capsys.readouterr()
        assert (stopped.value.code, shown.out) == (2, "")
        lines = shown.err.splitlines()
        assert [line.startswith("error: ") for line in lines] == [False] * (len(lines) - 1) + [True]
        return lines[-1]

    return run


def changed(student: Path) -> bytes:
    """Another student file."""
    model = onnx.load(student)
    model.doc_string = "changed"
    return model.SerializeToString()


def test_a_first_download_is_said_and_recorded(
    stand_in: Hub, student: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = find(REPO)
    assert path.read_bytes() == stand_in.files["student.onnx"]
    digest = hashlib.sha256(student.read_bytes()).hexdigest()
    first, second = capsys.readouterr().err.splitlines()
    assert first == f"{REPO}: student.onnx is downloaded from {stand_in.url}"
    assert second == f"{REPO}: SHA-256 {digest}, kept in {downloads.record(REPO)}"
    made = downloads.read()[REPO]
    assert (made.file, made.sha256, made.licence) == ("student.onnx", digest, "mit")
    assert (made.commit, made.path, made.task) == (stand_in.commit, str(path), "sst2")


def test_a_second_use_downloads_nothing(stand_in: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    path = find(REPO)
    stand_in.asked.clear()
    capsys.readouterr()
    assert find(REPO) == path
    assert stand_in.asked == [f"HEAD /{REPO}/resolve/main/student.onnx"]
    assert capsys.readouterr().err == ""


def test_a_commit_is_asked_for_once(stand_in: Hub) -> None:
    path = find(f"{REPO}@{stand_in.commit}")
    stand_in.asked.clear()
    assert find(f"{REPO}@{stand_in.commit}") == path
    assert not stand_in.asked


def test_a_changed_file_is_refused_until_forgotten(
    stand_in: Hub, student: Path, fails: Fails
) -> None:
    first = find(REPO).read_bytes()
    before = downloads.read()[REPO]
    stand_in.files["student.onnx"] = changed(student)
    for _ in range(2):
        said = fails(REPO)
        assert f"inhibi models --forget {REPO}" in said
        assert all(hashlib.sha256(c).hexdigest() in said for c in (first, changed(student)))
        assert before.commit in said
    assert downloads.read()[REPO] == before
    main(["models", "--forget", REPO])
    assert find(REPO).read_bytes() == changed(student)
    assert downloads.read()[REPO].sha256 != before.sha256


def test_a_file_that_was_altered_on_disk_is_refused(stand_in: Hub, fails: Fails) -> None:
    path = find(REPO)
    path.write_bytes(path.read_bytes() + b"\n")
    assert "another file than at its first download" in fails(REPO)


def test_an_emptied_cache_is_said(
    stand_in: Hub,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    find(REPO).unlink()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "elsewhere"))
    capsys.readouterr()
    assert find(REPO).read_bytes() == stand_in.files["student.onnx"]
    assert capsys.readouterr().err == f"{REPO}: student.onnx is downloaded again\n"


@pytest.mark.parametrize("offline", [True, False])
def test_without_the_hub_the_cache_serves(
    offline: bool, stand_in: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = find(REPO)
    if offline:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    else:
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", f"{NOBODY}/{FILES}")
    stand_in.asked.clear()
    assert find(REPO) == path
    assert not stand_in.asked


def test_offline_is_one_line(stand_in: Hub, fails: Fails, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "offline mode" in fails(REPO)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", NOBODY)
    assert f"no model file {REPO}, and {NOBODY} does not give it" in fails(REPO)
    assert not stand_in.asked
    assert downloads.read() == {}


def test_which_file(stand_in: Hub, student: Path, fails: Fails) -> None:
    assert "choose one of its files" in fails(f"{REPO}:other.onnx")
    stand_in.files["int8/b.onnx"] = changed(student)
    said = fails(REPO)
    assert said.endswith(": int8/b.onnx, student.onnx")
    assert find(f"{REPO}:int8/b.onnx").read_bytes() == changed(student)
    assert find(f"{REPO}@{stand_in.commit}:student.onnx").read_bytes() == student.read_bytes()
    del stand_in.files["student.onnx"], stand_in.files["int8/b.onnx"]
    stand_in.files["weights.pkl"] = b""
    assert "has no .onnx file" in fails(REPO)
    assert not any("weights.pkl" in path for path in stand_in.asked)


def test_names_that_the_hub_has_not(stand_in: Hub, fails: Fails) -> None:
    assert "no model file acme/other, and the hub has no such" in fails("acme/other")
    assert "no such revision" in fails(f"{REPO}@v9")
    assert "Cannot have -- or .. in repo_id" in fails("acme/a--b")


@pytest.mark.parametrize("content", [b"", b"text"])
def test_a_file_that_is_no_student_is_not_kept(content: bytes, stand_in: Hub, fails: Fails) -> None:
    stand_in.files["student.onnx"] = content
    said = fails(REPO)
    assert "no inhibi student" in said or "no ONNX file" in said
    assert downloads.read() == {}


@pytest.mark.parametrize("licence", [None, ["mit"], "\x1b[2J"])
def test_what_a_card_says_badly_is_unknown(licence: object, stand_in: Hub) -> None:
    stand_in.card = {"license": licence}
    find(REPO)
    assert downloads.read()[REPO].licence == "unknown"


def test_a_repository_without_a_card(
    student: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The library's two functions are replaced: this is all that is asked of them."""
    monkeypatch.setenv("INHIBI_CACHE", str(tmp_path))
    info = ModelInfo(id=REPO, siblings=[{"rfilename": "a.onnx"}])
    asked = []

    def download(repo: str, file: str, revision: str | None) -> str:
        asked.append((repo, file, revision))
        return str(student)

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda *_, **__: info)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    assert find(f"{REPO}@v1") == student
    assert asked == [(REPO, "a.onnx", "v1")]
    made = downloads.read()[f"{REPO}@v1"]
    assert (made.licence, made.commit) == ("unknown", "unknown")


def test_the_shell_needs_no_more_than_the_name(stand_in: Hub, tmp_path: Path) -> None:
    code = "from inhibi.engine.infer import main; main()"
    environment = {**os.environ, "HF_ENDPOINT": stand_in.url, "HF_HOME": str(tmp_path / "home")}
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, "--model", REPO, "good film"],
        env=environment | {"HF_HUB_OFFLINE": "0"},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr.decode()
    assert ran.stdout.endswith(b"\tgood film\n")
    assert b"SHA-256" in ran.stderr
