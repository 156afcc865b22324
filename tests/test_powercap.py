"""Measured joules, from a folder that looks like Linux' powercap."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from inhibi.eval.energy import measured, powercap
from inhibi.eval.energy.cli import main
from inhibi.eval.energy.powercap import NotAvailable, Zone, joules, per_inference, zones

REACH = 10_000_000


def make_zone(folder: Path, name: str, label: str, used: int = 5) -> Path:
    zone = folder / name
    zone.mkdir(parents=True)
    (zone / "name").write_text(f"{label}\n")
    (zone / "energy_uj").write_text(f"{used}\n")
    (zone / "max_energy_range_uj").write_text(f"{REACH}\n")
    return zone


def test_only_processor_packages_are_counted(tmp_path: Path) -> None:
    packages = [make_zone(tmp_path, f"intel-rapl:{i}", f"package-{i}") for i in (0, 1)]
    make_zone(tmp_path, "intel-rapl-mmio:0", "package-0")  # the same once more
    make_zone(tmp_path, "intel-rapl:0:0", "core")  # inside a package
    make_zone(tmp_path, "intel-rapl:2", "psys")
    (tmp_path / "intel-rapl").mkdir()
    assert zones(tmp_path) == [Zone(p / "energy_uj", REACH) for p in packages]


def test_a_machine_without_counters_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotAvailable, match="shows no energy counter"):
        zones(tmp_path)
    zone = make_zone(tmp_path, "intel-rapl:0", "package-0")
    (zone / "energy_uj").write_text("")
    with pytest.raises(NotAvailable, match="cannot be read"):
        zones(tmp_path)


def test_a_counter_for_the_administrator_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_zone(tmp_path, "intel-rapl:0", "package-0")

    def refuse(_: Zone) -> int:
        raise PermissionError

    monkeypatch.setattr(Zone, "microjoules", refuse)
    with pytest.raises(NotAvailable, match="may be read by the administrator alone"):
        zones(tmp_path)


def test_a_counter_that_starts_again(tmp_path: Path) -> None:
    zone = make_zone(tmp_path, "intel-rapl:0", "package-0", REACH - 1_000_000) / "energy_uj"
    used, seconds = joules(lambda: zone.write_text("1999999"), [Zone(zone, REACH)])
    assert used == pytest.approx(3.0)
    assert 0 < seconds < 10


class Processor:
    """A counter at 3 W, and 2 J more for each inference."""

    def __init__(self, file: Path) -> None:
        self.file, self.now, self.more = file, 0.0, 0.0

    def write(self) -> None:
        self.file.write_text(str(int(1e6 * (3 * self.now + self.more))))

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.write()

    def perf_counter(self) -> float:
        return self.now

    def infer(self, joules: float) -> Callable[[], None]:
        def call() -> None:
            self.more += joules
            self.sleep(0.25)

        return call


def test_idle_power_is_subtracted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zone = make_zone(tmp_path, "intel-rapl:0", "package-0", 0)
    processor = Processor(zone / "energy_uj")
    monkeypatch.setattr(powercap, "time", processor)
    counters = [Zone(processor.file, 10**12)]
    models = {"ours": processor.infer(2.0), "theirs": processor.infer(5.0)}
    found = per_inference(models, counters, repeats=3, seconds=1.0)
    assert found["idle_watts"] == pytest.approx(3.0)
    for name, expected in (("ours", 2.0), ("theirs", 5.0)):
        assert found["joules"][name] == {
            which: pytest.approx(expected, abs=1e-5) for which in ("median", "least", "most")
        }


def peer(path: Path, name: str = "input_ids") -> Path:
    """An ONNX file that sums its token ids."""
    ids = helper.make_tensor_value_info(name, TensorProto.INT64, ["B", "T"])
    total = helper.make_tensor_value_info("total", TensorProto.INT64, None)
    node = helper.make_node("ReduceSum", [name], ["total"])
    graph = helper.make_graph([node], "peer", [ids], [total])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path


def test_the_report_measures_our_engine_and_peers(
    tmp_path: Path,
    tiny_model: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    zone = make_zone(tmp_path / "powercap", "intel-rapl:0", "package-0")
    counted = iter(range(0, 10**9, 250_000))
    monkeypatch.setattr(Zone, "microjoules", lambda _: next(counted))
    monkeypatch.setattr(measured, "zones", lambda: zones(zone.parent))
    monkeypatch.setattr(powercap.per_inference, "__defaults__", (2, 0.05))
    arguments = ["--model", str(tiny_model), "--measure", "--peer", str(peer(tmp_path / "p.onnx"))]
    started = time.monotonic()
    main([*arguments, "--tokens", "8", "--json"])
    assert time.monotonic() - started < 60
    found = json.loads(capsys.readouterr().out)["measured"]
    assert found["available"]
    assert list(found["joules"]) == [
        f"{tiny_model}, this engine",
        f"{tmp_path / 'p.onnx'}, onnxruntime",
    ]
    assert found["tokens"] == 8
    main(arguments)
    assert "Joules per inference" in capsys.readouterr().out


def test_without_counters_the_report_says_so(
    tmp_path: Path,
    tiny_model: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(measured, "zones", lambda: zones(tmp_path))
    main(["--model", str(tiny_model), "--measure"])
    assert "Not available on this machine: this machine shows no" in capsys.readouterr().out


@pytest.mark.parametrize("content", [None, b"", b"no model"])
def test_a_peer_that_is_no_transformer(
    content: bytes | None, tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "peer.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SystemExit) as stopped:
        main(["--model", str(tiny_model), "--measure", "--peer", str(path)])
    assert stopped.value.code == 2
    shown = capsys.readouterr().err
    assert ("no model file" if content is None else "is no ONNX transformer") in shown
    assert shown.count("\n") == 1


def test_a_peer_with_other_inputs(
    tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = peer(tmp_path / "other.onnx", "pixels")
    with pytest.raises(SystemExit):
        main(["--model", str(tiny_model), "--measure", "--peer", str(path)])
    assert "is no ONNX transformer that takes input_ids" in capsys.readouterr().err
