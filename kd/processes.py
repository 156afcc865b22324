"""Several processes that train one model together, as torchrun starts them; one alone is the
first."""

import os
import platform
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

import torch
from torch import Tensor, distributed

from inhibi.engine.errors import InputError

T = TypeVar("T")


def join() -> None:
    """Meet the others, where torchrun has started some."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        from accelerate import PartialState

        # The first process scores each stage alone, the others wait.
        PartialState(cpu=not torch.cuda.is_available(), timeout=timedelta(hours=12))


def count() -> int:
    """How many processes there are."""
    return distributed.get_world_size() if _several() else 1


def rank() -> int:
    """The number of this one, from 0."""
    return distributed.get_rank() if _several() else 0


def device() -> str:
    """What this and the other processes train on: "2 x x86_64, 1 threads", "1 x NVIDIA H200"."""
    if torch.cuda.is_available():
        return f"{count()} x {torch.cuda.get_device_name()}"
    return f"{count()} x {platform.machine()}, {torch.get_num_threads()} threads"


def first_does(work: Callable[[], T]) -> T:
    """In all processes what `work` gives, or raises as `InputError`, in the first one, which alone
    calls it."""
    if count() == 1:
        return work()
    made: list[T | InputError | None] = [None]
    if rank() == 0:
        try:
            made[0] = work()
        except InputError as error:
            made[0] = InputError(str(error))
    distributed.broadcast_object_list(made, src=0)
    if isinstance(made[0], InputError):
        raise made[0]
    return made[0]  # type: ignore[return-value]


def mean_of_all(x: Tensor) -> Tensor:
    """The mean of a number over all processes, without gradient; the number itself where there is
    one."""
    if count() == 1:
        return x
    total = x.detach().to(torch.float64)
    distributed.all_reduce(total)
    return (total / count()).to(x.dtype if x.is_floating_point() else torch.float32)


def _several() -> bool:
    return distributed.is_available() and distributed.is_initialized()
