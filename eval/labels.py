"""Which of a task's labels each label of a model is: by name, since orders differ."""

from collections.abc import Sequence

from inhibi.engine.errors import InputError

SHORT = {"neg": "negative", "pos": "positive"}  # IMDB's names for what SST-2 spells out


def label_ids(
    model_labels: Sequence[str], task_labels: Sequence[str]
) -> tuple[dict[str, int], str]:
    """The task's label id for each of the model's label names, and a note, empty as a rule.

    A model whose labels have no names (LABEL_0, LABEL_1, ...) is taken to have the task's order;
    the note says so. `InputError` where the names differ.
    """
    ids = {_plain(label): i for i, label in enumerate(task_labels)}
    if {_plain(label) for label in model_labels} == set(ids):
        return {label: ids[_plain(label)] for label in model_labels}, ""
    if list(model_labels) == [f"LABEL_{i}" for i in range(len(task_labels))]:
        numbers = {label: i for i, label in enumerate(model_labels)}
        order = ", ".join(task_labels)
        return numbers, f"the model's labels have no names: they are taken to be {order}"
    raise InputError(
        f"the model's labels ({', '.join(model_labels)}) are not the task's "
        f"({', '.join(task_labels)}): choose a model that was trained for this task"
    )


def _plain(label: str) -> str:
    """One spelling of `Not entailment`, `not-entailment`, `not_entailment`."""
    plain = label.strip().lower().replace(" ", "_").replace("-", "_")
    return SHORT.get(plain, plain)
