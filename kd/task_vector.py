"""What a teacher has learned since the checkpoint that it shares with the student, as a first step
of the student's."""

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

    base: the checkpoint that the teacher was fine-tuned from, and that the student was distilled
    from; gamma, alpha and beta, which it has not, stay the student's. Raises `InputError` where the
    three are not of one shape.
    """
    ours, theirs, before = (_encoder(model) for model in (student, teacher, base))
    for name, fine_tuned in theirs.items():
        for other, role in ((ours, "student"), (before, "student's base")):
            if name not in other or other[name].shape != fine_tuned.shape:
                raise InputError(
                    f"the {role} is not of the teacher's shape ({name}): leave --student-base out"
                )
        ours[name] += fine_tuned - before[name]
    to, source = parts(student), parts(teacher)
    to.pooler.load_state_dict(source.pooler.state_dict())
    to.classifier.load_state_dict(source.classifier.state_dict())


def _encoder(model: PreTrainedModel) -> dict[str, Tensor]:
    """The weights of embeddings and layers by name."""
    found = parts(model)
    head = {id(x) for module in (found.pooler, found.classifier) for x in module.parameters()}
    return {name: x.data for name, x in model.named_parameters() if id(x) not in head}
