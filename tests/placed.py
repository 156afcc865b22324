"""Arrays at addresses of a test's choice, between guards."""

import numpy as np
from case import Array

GUARD = 64  # bytes before and behind
FILL = 0xA5


class Placed:
    """A copy of an array whose address is `skew` items past a multiple of 64, between guards."""

    def __init__(self, array: Array, skew: int) -> None:
        size, start = array.nbytes, GUARD + skew * array.itemsize
        self._bytes = np.full(size + start + 2 * GUARD, FILL, np.uint8)
        start += -self._bytes.ctypes.data % 64
        self._inside = slice(start, start + size)
        self._bytes[self._inside] = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        self.array = self._bytes[self._inside].view(array.dtype).reshape(array.shape)
        self._before = self._bytes.copy()

    @property
    def pointer(self) -> int:
        return self._bytes.ctypes.data + self._inside.start

    def unchanged(self) -> bool:
        return np.array_equal(self._bytes, self._before)

    def intact(self) -> bool:
        """Whether the guards are as they were."""
        now, before = self._bytes.copy(), self._before.copy()
        now[self._inside] = before[self._inside] = 0
        return np.array_equal(now, before)
