"""Where a model's bytes lie: on chip, in DRAM, or in a memory of a given size.

Three models (docs/ENERGY.md): "on-chip": all in 1 MB of SRAM, however large; "dram": weights come
from DRAM once for each inference, all else lies in 1 MB of SRAM; a size such as 64KB: a memory of
that size keeps what fits into it (the weights if all of them do, an activation or accumulator
tensor if it does by itself), everything else is read from DRAM and written to it.
"""

import re
from dataclasses import dataclass

from inhibi.engine.errors import InputError
from inhibi.eval.energy.traffic import Transfer

ACCESS_BYTES = 8  # of one access
DRAM, LARGE = "dram", "sram1MB"
KILO = 1024


@dataclass(frozen=True)
class Memory:
    """`capacity` in bytes, None where it has no limit; `weights` says that those lie on chip too,
    as far as they fit."""

    name: str
    capacity: int | None
    weights: bool

    def level(self, transfer: Transfer, weights: int) -> str:
        """The memory of these bytes, as the energy tables name it, in a model with `weights` bytes
        of parameters."""
        if transfer.what == "weights":
            inside, size = self.weights, weights
        else:
            inside, size = True, transfer.held
        if not inside or (self.capacity is not None and size > self.capacity):
            return DRAM
        return LARGE if self.capacity is None else level_name(self.capacity)


ON_CHIP = Memory("on-chip", None, weights=True)
WEIGHTS_FROM_DRAM = Memory("dram", None, weights=False)


def parse(text: str) -> Memory:
    """dram, on-chip or a size. Raises `InputError`."""
    for memory in (ON_CHIP, WEIGHTS_FROM_DRAM):
        if text == memory.name:
            return memory
    size = re.fullmatch(r"([1-9]\d{0,8})(KB|MB)", text)
    if not size:
        raise InputError(f"no memory {text!r}: give dram, on-chip or a size such as 64KB or 2MB")
    capacity = int(size[1]) * KILO * (KILO if size[2] == "MB" else 1)
    return Memory(text, capacity, weights=True)


def level_name(capacity: int) -> str:
    """sram64KB of 65536, sram1MB of 2^20."""
    megabytes, rest = divmod(capacity, KILO * KILO)
    return f"sram{megabytes}MB" if not rest else f"sram{capacity // KILO}KB"


def kilobytes(level: str) -> int | None:
    """The size in a level's name; None where it has none."""
    size = re.fullmatch(r"sram(\d+)(KB|MB)", level)
    return int(size[1]) * (KILO if size[2] == "MB" else 1) if size else None
