"""Makes the files of all models, opens them, and checks what they answer."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.checks import FLOAT, INT8, close, equal
from benchmarks.data import Sentences
from benchmarks.peers import openvino_peer, ours
from benchmarks.peers.onnxruntime_files import make_files
from benchmarks.peers.onnxruntime_peers import onnxruntime_peers
from benchmarks.peers.ours import DOT_PRODUCT, OURS, our_peer
from benchmarks.peers.peer import Peer
from benchmarks.peers.teacher import Teacher, open_teacher, quiet
from benchmarks.peers.torch_peer import torch_peer
from inhibi.engine.metadata import Metadata

CHECKED = 24  # sentences
TRUTH = "torch fp32"


@dataclass(frozen=True)
class Files:
    """Where each model lies. openvino: none without its packages; teacher: None for ours alone."""

    student: Path
    dot_product: Path
    onnxruntime: dict[str, Path]
    openvino: list[Path]
    teacher: Teacher | None


def make(
    folder: Path, student: Path, metadata: Metadata, teacher: Path | None, data: Sentences
) -> Files:
    """Exports and quantizations, into `folder`; what is there already is kept."""
    opened = open_teacher(teacher, metadata)
    onnxruntime = make_files(folder, opened, data.calibration)
    openvino = {"fp32": folder / "openvino.xml", "fp32_unmasked": folder / "openvino_unmasked.xml"}
    if not openvino_peer.available():
        openvino.clear()
    for source, path in openvino.items():
        openvino_peer.make_file(onnxruntime[source], path, data.calibration)
    _save_for_cold_start(folder, opened, metadata)
    copy, dot_product = folder / "inhibitor.onnx", folder / "dot_product.onnx"
    shutil.copyfile(student, copy)
    ours.make_dot_product(student, dot_product)
    return Files(copy, dot_product, onnxruntime, list(openvino.values()), opened)


def _save_for_cold_start(folder: Path, teacher: Teacher, metadata: Metadata) -> None:
    """Checkpoint and tokenizer, which `cold_start` loads in processes of their own."""
    with quiet():
        teacher.model.save_pretrained(folder / "teacher")
    (folder / "tokenizer.json").write_text(metadata.tokenizer)


def open_all(files: Files, threads: int) -> list[Peer]:
    """Ours first. Those of the same number of threads are measured together."""
    peers = [
        our_peer(OURS, files.student, threads),
        our_peer(DOT_PRODUCT, files.dot_product, threads),
    ]
    peers += onnxruntime_peers(files.onnxruntime, threads)
    peers += [openvino_peer.openvino_peer(path, threads) for path in files.openvino]
    if files.teacher:
        peers.append(torch_peer(files.teacher, threads))
    return peers


def check(peers: Sequence[Peer], files: Files, data: Sentences) -> dict[str, Any]:
    """Ours equal the NumPy engine, alone and packed; peers are close to torch, alone and padded.

    Relative errors by name. `WrongAnswer` for the first that is not.
    """
    some = data.validation[:CHECKED]
    by_name = {peer.name: peer for peer in peers}
    for name, path in ((OURS, files.student), (DOT_PRODUCT, files.dot_product)):
        want = ours.reference(path).logits(some)
        equal(f"{name}, packed", by_name[name].logits(some), want)
        equal(f"{name}, alone", _alone(by_name[name], some), want)
    want = _alone(by_name[TRUTH], some)
    errors = {}
    for peer in peers:
        if peer.name in (OURS, DOT_PRODUCT):
            continue
        limit = FLOAT if peer.exact else INT8
        errors[peer.name] = close(peer.name, _alone(peer, some), want, limit)
        if peer.pads:
            close(f"{peer.name}, padded", peer.logits(some), want, limit)
    return errors


def scores(answers: Mapping[str, np.ndarray], labels: Sequence[int]) -> dict[str, Any]:
    """Accuracy and share of torch's predictions, by name, from each model's label [N]."""
    return {
        name: {
            "accuracy": float((found == np.array(labels)).mean()),
            "equal_to_fp32": float((found == answers[TRUTH]).mean()),
        }
        for name, found in answers.items()
        if name != DOT_PRODUCT  # not trained
    }


def _alone(peer: Peer, sentences: Sequence[Sequence[int]]) -> np.ndarray:
    return np.concatenate([peer.logits([sentence]) for sentence in sentences])
