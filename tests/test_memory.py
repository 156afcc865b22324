"""inhibi.kd.memory: freed blocks stay with the process."""

import os
import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource

from inhibi.kd.memory import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    bytearray(96 << 20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

print(faults(), faults())
keep_freed_memory()
print(faults(), faults(), faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc's")
def test_pages_are_asked_for_once() -> None:
    # glibc's own settings: no MALLOC_ variable of whoever runs the tests.
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_"))}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
    )
    without, kept = ([int(n) for n in line.split()] for line in done.stdout.splitlines())
    # Each time anew, or the first time alone. Where pages are huge there are few, but as many.
    assert min(without) > 10 * max(kept[1:])
