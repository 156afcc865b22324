"""Runs float student, fake-quantized student and integers side by side on the same sentences.

Shapes: B sentences, T tokens of the longest, N of all, C channels, H heads, d head width.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from brevitas.nn import QuantIdentity
from torch import Tensor

from inhibi.engine.session import Sentence, Session
from inhibi.export.diagnosis import Diagnosis, Inhibition, OperatorError
from inhibi.qat.attention import QuantInhibitor
from inhibi.qat.operators import Operator, operators, run, with_cached_weights, with_rounded_weights
from inhibi.qat.student import QuantStudent

BATCH = 16
POOLED = ("attention_output", "intermediate", "output")  # of the last layer: first tokens alone

Trace = dict[str, np.ndarray]


@torch.no_grad()
def diagnose(
    trained: QuantStudent, student: QuantStudent, session: Session, sentences: Sequence[Sentence]
) -> Diagnosis:
    """Measure every operator of `trained`, the student that the session's file was exported from.

    student: built from the float student that `trained` started from; its quantizers are not used.
    """
    made = Diagnosis()
    trained, weights = with_cached_weights(trained), with_rounded_weights(trained)
    for start in range(0, len(sentences), BATCH):
        some = sentences[start : start + BATCH]
        _Batch(trained, weights, student, session, some).add_to(made)
    return made


class _Batch:
    """All outputs of all models for some sentences."""

    def __init__(
        self,
        trained: QuantStudent,
        weights: QuantStudent,
        student: QuantStudent,
        session: Session,
        sentences: Sequence[Sentence],
    ) -> None:
        ids, types, self.valid = padded(sentences)
        self.trained = trained
        self.chain, self.weights, floats = (
            operators(model, model.table_ids(ids, types), self.valid)
            for model in (trained, weights, student)
        )
        self.names = [operator.name for operator in self.chain]
        self.rounded = run(self.chain, self.names)
        self.exact = run(self.chain, ())
        self.student = run(floats, ())
        self.traces = [dict(session.trace(sentence)) for sentence in sentences]
        self.output_scale = session.metadata.output_scale

    def add_to(self, made: Diagnosis) -> None:
        for operator, weights in zip(self.chain, self.weights, strict=True):
            error = made.operators.setdefault(operator.name, OperatorError())
            self._add_own(operator, weights, error)
            self._add_error(operator, error)
        for name, z, v, signed in self._inhibition():
            made.inhibition.setdefault(name, Inhibition()).add(z, v, signed)
        integers = np.concatenate([trace["logits"] for trace in self.traces])
        made.add_logits(
            student=self.student["logits"].numpy(),
            exact=self.exact["logits"].numpy(),
            trained=self.rounded["logits"].numpy(),
            integers=integers * self.output_scale,
        )

    def _add_own(self, operator: Operator, weights: Operator, error: OperatorError) -> None:
        inputs = [self.rounded[name] for name in operator.inputs]
        goal = self._rows(operator.name, operator.exact(*inputs))
        error.own.add(goal, self._rows(operator.name, self.rounded[operator.name]))
        error.weights.add(goal, self._rows(operator.name, weights.exact(*inputs)))
        if operator.quantizer is not None:
            peak = (goal - operator.middle).abs().max() / _scale(operator.quantizer)
            error.peak = max(error.peak, float(peak))

    def _add_error(self, operator: Operator, error: OperatorError) -> None:
        name = operator.name
        made = self._rows(name, self.rounded[name])
        error.rounding.add(self._rows(name, self.exact[name]), made)
        error.student.add(self._rows(name, self.student[name]), made)
        for noise, before, rounding in (
            (error.alone, self.exact, [name]),
            (error.others, self.rounded, [other for other in self.names if other != name]),
        ):
            known = {other: before[other] for other in self.names[: self.names.index(name)]}
            noise.add(self.exact["logits"], run(self.chain, rounding, known)["logits"])
        if operator.quantizer is not None:
            trained = (made - operator.middle) / _scale(operator.quantizer)
            error.add_integers(trained, _exported(self.traces, name))

    def _rows(self, name: str, x: Tensor) -> Tensor:
        """The rows [N,C] of an output that the file has: no padding, nothing that no one reads."""
        if x.dim() == 2:
            return x
        layer, _, node = name.rpartition(".")
        pooled = node in POOLED and layer == f"layer.{len(self.trained.layers) - 1}"
        return x[:, 0] if pooled else x[self.valid]

    def _inhibition(self) -> Iterator[tuple[str, Tensor, Tensor, bool]]:
        """Name, z [H,n,n], V [H,n,d] in whole numbers and signed, of every layer and sentence."""
        for i, layer in enumerate(self.trained.layers):
            attention: Any = layer.attention
            if not isinstance(attention, QuantInhibitor):
                continue
            qk, v = (
                quantizer(self.rounded[f"layer.{i}.{node}"])
                for quantizer, node in (
                    (attention.qk_quantizer, "qk"),
                    (attention.v_quantizer, "v"),
                )
            )
            q, k = attention.queries_keys(qk.value / qk.scale)
            z = attention.z(q, k, qk.scale, v.scale, self.valid)
            values = torch.round(attention.per_head(v.value / v.scale))
            for row, n in enumerate(self.valid.sum(1).tolist()):
                signed = attention.inhibitor.settings.signed
                yield f"layer.{i}", z[row, :, :n, :n].round(), values[row, :, :n], signed


def padded(sentences: Sequence[Sentence]) -> tuple[Tensor, Tensor, Tensor]:
    """Token ids, token types int64 [B,T] and the mask bool [B,T] of packed sentences."""
    lengths = [len(sentence.ids) for sentence in sentences]
    ids, types = torch.zeros(2, len(sentences), max(lengths), dtype=torch.int64)
    for row, sentence in enumerate(sentences):
        ids[row, : lengths[row]] = torch.tensor(sentence.ids)
        types[row, : lengths[row]] = torch.tensor(sentence.type_ids)
    return ids, types, torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]


def _scale(quantizer: QuantIdentity) -> Tensor:
    return quantizer(torch.zeros(1)).scale


def _exported(traces: Sequence[Trace], name: str) -> np.ndarray:
    """The file's whole numbers [N,C] of all sentences, in [-127, 127]."""
    layer, _, node = name.rpartition(".")
    if node not in ("qk", "v"):
        return np.concatenate([trace[name] for trace in traces]).astype(int) - 128
    qkv = np.concatenate([trace[f"{layer}.qkv"] for trace in traces]).astype(int) - 128
    cut = 2 * (qkv.shape[1] // 3)
    return qkv[:, :cut] if node == "qk" else qkv[:, cut:]
