"""What a teacher has learned since the checkpoint that a student was distilled from, added to the
student."""

import torch
from torch import Tensor
from transformers import PreTrainedModel

from inhibi.engine.errors import InputError
from inhibi.kd.families import parts


@torch.no_grad()
def add_task_vector(
    student: PreTrainedModel, teacher: PreTrainedModel, base: PreTrainedModel
) -> None:
    """Add the difference between the teacher's weights and the base's to the student's (task
    arithmetic, arXiv 2212.04089), whose pooler and classifier become the teacher's.

    base: the checkpoint that the student was distilled from; the teacher was fine-tuned from it, or
    from what it was fine-tuned from. gamma, alpha and beta, which it has not, stay the student's.
    Raises `InputError` where the three are not of one shape.
    """
    ours, theirs, before = (_encoder(model) for model in (student, teacher, base))
    ours = {name: weight for name, weight in ours.items() if ".inhibitor." not in name}
    for other, role in ((ours, "student"), (before, "student's base")):
        if _shapes(other) != _shapes(theirs):
            raise InputError(f"the {role} is not of the teacher's shape: leave --student-base out")
    for name, fine_tuned in theirs.items():
        ours[name] += fine_tuned - before[name]
    to, source = parts(student), parts(teacher)
    to.pooler.load_state_dict(source.pooler.state_dict())
    to.classifier.load_state_dict(source.classifier.state_dict())


def _encoder(model: PreTrainedModel) -> dict[str, Tensor]:
    """The weights of embeddings and layers by name."""
    found = parts(model)
    head = {id(x) for module in (found.pooler, found.classifier) for x in module.parameters()}
    return {name: x.data for name, x in model.named_parameters() if id(x) not in head}


def _shapes(weights: dict[str, Tensor]) -> dict[str, torch.Size]:
    return {name: weight.shape for name, weight in weights.items()}
