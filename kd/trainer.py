"""transformers' Trainer with the project's batches and objectives."""

import time
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader
from transformers import Trainer

from inhibi.kd import processes
from inhibi.kd.attention import Inhibitor


class BatchTrainer(Trainer):
    """Trains an objective on batches that were drawn beforehand: the same ones after a resume.

    Of several processes each takes its share of every batch, and the losses are means over all:
    without dropout they train as one process does. (A batch of fewer examples than processes is met
    by some twice.) scalar_rate: times the learning rate for inhibitors' gamma, alpha and beta.
    """

    def __init__(
        self, *args: Any, train_batches: list[list[int]], scalar_rate: float, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.scalar_rate = scalar_rate
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

    def create_optimizer(self, model: nn.Module | None = None) -> Optimizer:
        """transformers', but for the scalars' rate."""
        optimizer: Optimizer = super().create_optimizer(model)
        if self.scalar_rate != 1:  # else the groups stay those of checkpoints made without it
            speed_up(optimizer, scalars(self.model), self.scalar_rate)
        return optimizer

    def compute_loss(self, model: Any, inputs: dict[str, Tensor], *_: Any, **__: Any) -> Tensor:
        loss: Tensor = model(**inputs)
        return loss


def scalars(model: nn.Module) -> set[nn.Parameter]:
    """Gamma, alpha and beta of all inhibitors."""
    inhibitors = (module for module in model.modules() if isinstance(module, Inhibitor))
    return {parameter for inhibitor in inhibitors for parameter in inhibitor.parameters()}


def speed_up(optimizer: Optimizer, some: set[nn.Parameter], rate: float) -> None:
    """Put these of an optimizer's parameters into groups with `rate` times its learning rate."""
    for group in list(optimizer.param_groups):
        apart = [parameter for parameter in group["params"] if parameter in some]
        if apart:
            group["params"] = [p for p in group["params"] if p not in some]
            optimizer.add_param_group(group | {"params": apart, "lr": rate * group["lr"]})
