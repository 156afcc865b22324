"""The memory that tensors on a CPU leave behind."""

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
LARGEST_KEPT = 1 << 30  # bytes
MOST = (1 << 31) - 1  # what mallopt can be told


def keep_freed_memory() -> None:
    """Let the process reuse what its tensors free, instead of asking the kernel anew.

    glibc hands blocks above 32 MB back at once, and the kernel clears every page that it gives
    again. Batches of long texts have such blocks (scores of 4 texts of 512 tokens and 12 heads are
    50 MB), those of short texts have none and gain nothing. Blocks of more than LARGEST_KEPT bytes
    are still handed back. Other C libraries have no such setting: nothing happens there.
    """
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)):
        mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT)
        mallopt(M_TRIM_THRESHOLD, MOST)
