"""Places in one block of memory for tensors that do not live at the same time."""

from collections.abc import Sequence
from dataclasses import dataclass

ALIGNMENT = 8


@dataclass(frozen=True)
class Buffer:
    """`size` bytes that are needed from step `first` to step `last`, both included."""

    name: str
    size: int
    first: int
    last: int

    def meets(self, other: "Buffer") -> bool:
        """Whether both are needed at some step."""
        return self.first <= other.last and other.first <= self.last


def plan(buffers: Sequence[Buffer]) -> tuple[dict[str, int], int]:
    """The offset of each buffer, a multiple of ALIGNMENT, and the size of the whole.

    The largest first, each at the lowest place where it fits between those that it meets: greedy
    by size (Pisarchyk and Lee, arXiv 2001.03288, section 5.2).
    """
    placed: list[tuple[Buffer, int]] = []
    for buffer in sorted(buffers, key=lambda b: (-b.size, b.first, b.name)):
        offset = 0
        for other, start in sorted(placed, key=lambda p: p[1]):
            if buffer.meets(other) and start < offset + buffer.size:
                offset = max(offset, _aligned(start + other.size))
        placed.append((buffer, offset))
    size = max((start + buffer.size for buffer, start in placed), default=0)
    return {buffer.name: start for buffer, start in placed}, _aligned(size)


def _aligned(offset: int) -> int:
    return -(-offset // ALIGNMENT) * ALIGNMENT
