"""transformers' Trainer with the project's batches and objectives."""

import time
from typing import Any

from torch import Tensor
from torch.utils.data import DataLoader
from transformers import Trainer

from inhibi.kd import processes


class BatchTrainer(Trainer):
    """Trains an objective on batches that were drawn beforehand: the same ones after a resume.

    Of several processes each takes its share of every batch, and the losses are means over all:
    without dropout they train as one process does. (A batch of fewer examples than processes is met
    by some twice.)
    """

    def __init__(self, *args: Any, train_batches: list[list[int]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.model_accepts_loss_kwargs = False  # objectives know their counts: none are gathered
        self.train_batches = train_batches
        self.since = time.perf_counter()

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Adds the seconds since the entry before: a resumed run's history has the time of all."""
        now = time.perf_counter()
        super().log(logs | {"seconds": now - self.since}, start_time)
        self.since = now

    def get_train_dataloader(self) -> DataLoader[Any]:
        rank, count = processes.rank(), processes.count()
        shares = [batch[rank::count] or batch[:1] for batch in self.train_batches]
        return DataLoader(self.train_dataset, batch_sampler=shares, collate_fn=self.data_collator)

    def compute_loss(self, model: Any, inputs: dict[str, Tensor], *_: Any, **__: Any) -> Tensor:
        loss: Tensor = model(**inputs)
        return loss
