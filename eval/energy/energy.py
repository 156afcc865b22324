"""Operations times figures, bytes times the figures of the memories that they lie in."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from inhibi.eval.energy.counts import NodeCount, operations
from inhibi.eval.energy.figures import ACCESS, Figure, Technology
from inhibi.eval.energy.memory import ACCESS_BYTES, Memory

# The parts of a model whose energies are told apart, and never mixed.
SCOPES = ("whole_model", "attention_block", "attention_core")


@dataclass(frozen=True)
class Energy:
    """Picojoules of operations, and of moving weights, activations and accumulators."""

    operations: float
    weights: float
    activations: float
    accumulators: float

    @property
    def memory(self) -> float:
        return self.weights + self.activations + self.accumulators

    @property
    def total(self) -> float:
        return self.operations + self.memory


def over(energy: float, other: float) -> float:
    """The ratio; NaN where the other costs nothing, which a user's figures can have."""
    return energy / other if other else math.nan


@dataclass(frozen=True)
class Model:
    """A counted model in a memory. `nodes` may be a part of it; `stored` is the whole's bytes of
    parameters, which decide whether weights fit on chip."""

    nodes: Sequence[NodeCount]
    memory: Memory
    stored: int

    @classmethod
    def of(cls, nodes: Sequence[NodeCount], memory: Memory) -> "Model":
        """The whole model."""
        return cls(nodes, memory, sum(node.stored for node in nodes))

    def part(self, nodes: Sequence[NodeCount]) -> "Model":
        """Some nodes of it."""
        return Model(nodes, self.memory, self.stored)

    def scope(self, name: str) -> "Model":
        """One of SCOPES."""
        if name == "attention_core":
            return self.part([count for count in self.nodes if count.node.core])
        if name == "attention_block":
            return self.part([count for count in self.nodes if count.node.block])
        return self

    def layers(self) -> "dict[str, Model]":
        """By layer, in the order in which they run."""
        names = dict.fromkeys(count.node.layer for count in self.nodes)
        return {
            name: self.part([count for count in self.nodes if count.node.layer == name])
            for name in names
        }

    def energy(self, technology: Technology) -> Energy:
        """What one inference costs."""
        moved = {"weights": 0.0, "activations": 0.0, "accumulators": 0.0}
        for count in self.nodes:
            for transfer in count.traffic:
                access = technology.figure(ACCESS, self.memory.level(transfer, self.stored))
                moved[transfer.what] += transfer.size / ACCESS_BYTES * access.picojoules
        spent = sum(
            times * technology.figure(*operation).picojoules
            for operation, times in operations(self.nodes).items()
        )
        return Energy(spent, **moved)

    def figures(self, technology: Technology) -> dict[str, Figure]:
        """The figures that this takes, and all that they are derived from, by kind.type."""
        levels = {
            (ACCESS, self.memory.level(transfer, self.stored))
            for count in self.nodes
            for transfer in count.traffic
        }
        names = levels | operations(self.nodes).keys()
        return technology.with_parents(".".join(name) for name in names)
