"""One run of `qat-train`: what it was started with, checked before any work."""

import copy
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from transformers import PreTrainedModel, PreTrainedTokenizerBase, set_seed

from inhibi.engine.errors import InputError, say
from inhibi.kd import processes
from inhibi.kd.data import Task, find_task, load_split, load_texts
from inhibi.kd.examples import Example, Examples, joined, label_ids, labelled, replaced, unlabelled
from inhibi.kd.families import parts
from inhibi.kd.held_back import hold_back, hold_back_texts, wholes
from inhibi.kd.predict import load_tokenizer
from inhibi.kd.pretrained import is_inhibitor, load_pretrained, load_student, stage_of
from inhibi.kd.recipe import Recipe, Stage
from inhibi.kd.sentences import sentences
from inhibi.kd.shapes import compared_layers, taken_layers
from inhibi.kd.task_vector import add_task_vector

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True)
class Run:
    """One run of `qat-train`: its folder, recipe, task and data.

    own: a user's own examples by split, instead of the task's.
    student: the checkpoint that gives the student's shape and first weights, None for the
    teacher's; or an inhibitor student, which is not aligned again nor, in a task-agnostic run,
    distilled again.
    student_base: the checkpoint that such a student was distilled from, where it shall begin with
    the difference between it and the teacher.
    """

    folder: Path
    recipe: Recipe
    task: Task
    data_dir: str | None
    texts: tuple[str, ...]
    tokenizer: PreTrainedTokenizerBase
    student: str | None = None
    student_base: str | None = None
    own: "Mapping[str, Dataset] | None" = None

    @property
    def held_back(self) -> bool:
        """Whether stages are scored on examples held back from the training split."""
        return bool(self.task.pooling or self.recipe.held_back) and self.own is None

    def load(self, split: str) -> "Dataset":
        """The examples of a split. Raises `InputError`."""
        return load_split(self.task, split, self.data_dir) if self.own is None else self.own[split]

    def finished(self, stage: str) -> bool:
        """Whether this stage's metrics are written."""
        return processes.first_does((self.folder / stage / "metrics.json").is_file)

    @property
    def pad(self) -> int:
        """The id that fills a batch."""
        return int(self.tokenizer.pad_token_id)

    def check(self, teacher: str) -> None:
        """`InputError` where recipe, data, teacher or student do not fit: before any work."""
        r = self.recipe
        if self.task.pooling:
            self._check_embedding()
        else:
            for split in ("train", self.task.validation[0]):
                label_ids(self.load(split), self.task)
        self._check_stages()
        held = self.unlabelled[1]  # read here: files that cannot be are told before any work
        if self.task.pooling and not len(held):
            raise InputError("fewer than 10 different texts: give more of them")
        if not all(map(len, self.rows)):
            raise InputError(
                "no example is left to train on, or to score on: give more of them, or set "
                "held_back = 0"
            )
        if r.task_agnostic and not (r.align.texts and r.distill.texts):
            raise InputError("a task-agnostic recipe needs texts in [align] and [distill]")
        if self.student_base:
            self._check_base(teacher)
        if not self.finished("teacher"):
            self._check_shapes(self.load_teacher(teacher))
        if r.attention == "inhibitor" and not (r.align.steps or self.inhibitor):
            say(
                "note: the student begins unaligned: the recipe has no steps in [align], and "
                "--student names no distilled one"
            )

    def _check_stages(self) -> None:
        """`InputError` where a stage asks for examples that this task has not, or that a
        task-agnostic student shall not learn from."""
        r = self.recipe
        if r.task_agnostic and any(s.joined or s.replaced or s.whole for s in (r.align, r.distill)):
            raise InputError(
                "a task-agnostic recipe aligns and distills on unlabelled texts alone: set joined, "
                "replaced and whole = 0 in [align] and [distill]"
            )
        for stage in self._stages:
            if stage.whole and len(self.task.columns) > 1:
                raise InputError(
                    f"{self.task.name} has pairs, of which none is whole: set whole = 0"
                )
            if stage.joined and (len(self.task.columns) > 1 or self.task.labels is None):
                raise InputError(
                    f"the recipe joins sentences, which {self.task.name} does not allow: "
                    "set joined = 0 (it needs single sentences with labels)"
                )
            if stage.texts and not (self.texts or self.recipe.texts_from):
                raise InputError(
                    "the recipe mixes in unlabelled texts: name parquet files with --text "
                    "(or, in a recipe of your own, set texts_from or texts = 0)"
                )

    def _check_embedding(self) -> None:
        """An embedding is learned from texts alone."""
        r = self.recipe
        trained = (r.align, r.distill, r.qat)
        labelled = (
            r.teacher.steps or r.finetune.steps or any(s.joined or s.replaced for s in trained)
        )
        if not r.task_agnostic or labelled or not all(stage.texts for stage in trained):
            raise InputError(
                "an embedding student has no labels: its recipe needs task_agnostic = true, texts "
                "in [align], [distill] and [qat], none joined or replaced, and no steps in "
                "[teacher] or [finetune] (the packaged one: embedding)"
            )

    def _check_base(self, teacher: str) -> None:
        """`InputError` where the student cannot begin with what the teacher has learned."""
        if self.inhibitor is None:
            raise InputError(
                "--student-base is for a distilled inhibitor: name RUN/distill of a task-agnostic "
                "run with --student, or leave it out"
            )
        if self.recipe.task_agnostic:
            raise InputError(
                "--student-base adds what a fine-tuned teacher has learned, and the recipe is "
                "task-agnostic: choose one that distills the task, or leave it out"
            )
        shared_tokenizer(teacher, self.student_base)

    def _check_shapes(self, teacher: PreTrainedModel) -> None:
        source = self.first_student(teacher) or self.student_source(teacher)[0]
        for name, model in {"teacher": teacher, "student": source}.items():
            positions = parts(model).position.num_embeddings
            if self.recipe.max_length > positions:
                raise InputError(
                    f"the recipe's max_length is {self.recipe.max_length}, the {name} has "
                    f"{positions} positions: lower max_length"
                )
        if self.student:
            compared_layers(self.recipe.layers, teacher.config, source.config)
        widths = [model.config.hidden_size for model in (teacher, source)]
        if self.task.pooling and widths[0] != widths[1]:
            raise InputError(
                f"the teacher's embeddings have {widths[0]} numbers, the student's {widths[1]}: "
                "choose a student of the teacher's width"
            )

    def load_teacher(self, name: str) -> PreTrainedModel:
        """The checkpoint to fine-tune, or the fine-tuned one where the recipe has no steps."""
        set_seed(self.recipe.seed)  # a new head's weights
        new = self.recipe.teacher.steps > 0 or self.recipe.task_agnostic
        return load_pretrained(name, self.task, trained=not new)

    def student_source(self, teacher: PreTrainedModel) -> tuple[PreTrainedModel, tuple[int, ...]]:
        """The model with dot-product attention that the student is made from, and which of its
        layers (0-based)."""
        if self.student is None:
            return teacher, taken_layers(self.recipe.layers, teacher.config)
        set_seed(self.recipe.seed)  # a new head's weights
        source = load_pretrained(self.student, self.task, trained=False)
        return source, taken_layers((), source.config)

    def first_student(self, teacher: PreTrainedModel) -> PreTrainedModel | None:
        """The student where it is an inhibitor already, with what the teacher has learned since
        `student_base`, if one is named. Raises `InputError`."""
        if self.inhibitor is None or self.student_base is None:
            return self.inhibitor
        student = copy.deepcopy(self.inhibitor)
        add_task_vector(student, teacher, load_pretrained(self.student_base, self.task, False))
        return student

    @cached_property
    def inhibitor(self) -> PreTrainedModel | None:
        """The student where it is an inhibitor already. Raises `InputError`."""
        if self.student is None or not is_inhibitor(self.student):
            return None
        r = self.recipe
        if r.attention != "inhibitor":
            raise InputError(f"{self.student} is an inhibitor, the recipe's attention is not")
        if r.task_agnostic and stage_of(self.student) != "distill":
            raise InputError(
                f"{self.student} is no distilled student: name RUN/distill of a task-agnostic run"
            )
        again = r.distill.steps and (self.task.pooling or not r.task_agnostic)
        if not (r.finetune.steps or again or self.student_base):
            needed = "[finetune]" if r.task_agnostic else "[distill]"
            raise InputError(f"nothing is left to train: the recipe needs steps in {needed}")
        set_seed(r.seed)  # a new head's weights
        made = load_student(self.student, self.task, new_head=r.task_agnostic)
        theirs, ours = made.config.inhibitor, asdict(r.inhibitor)
        for name in ("scope", "centred", "signed", "n0"):
            if theirs[name] != ours[name]:
                raise InputError(
                    f"{self.student} was made with {name} = {theirs[name]}, the recipe's "
                    f"[inhibitor] has {ours[name]}"
                )
        return made

    @property
    def distilled(self) -> bool:
        """Whether the student is one that an earlier task-agnostic run has distilled for this; one
        that shall embed learns the vectors as well."""
        agnostic = self.recipe.task_agnostic and not self.task.pooling
        return self.inhibitor is not None and agnostic

    @property
    def _stages(self) -> tuple[Stage, ...]:
        """Those that this run goes through: what the student's own run has done is not repeated."""
        r = self.recipe
        aligned = [] if self.inhibitor else [r.align]
        distilled = [] if self.distilled else [r.distill]
        return (r.teacher, *aligned, *distilled, r.finetune, r.qat)

    def embedder(self, teacher: PreTrainedModel) -> PreTrainedModel | None:
        """The teacher where it is one of embeddings."""
        return teacher if self.task.pooling else None

    @cached_property
    def rows(self) -> "tuple[Dataset, Dataset]":
        """The examples to train on and those to score stages on: of a user's own table always its
        validation examples."""
        if self.task.pooling:
            return self.unlabelled
        train = self.load("train")
        if self.held_back:
            return hold_back(train, self.task, self.recipe.held_back)
        return train, self.load(self.task.validation[0])

    @cached_property
    def unlabelled(self) -> "tuple[Dataset, Dataset]":
        """The unlabelled texts to learn from and those held back, column `text`: the same ones in
        every run, since a student may have learned from them in an earlier one."""
        texts = load_texts(list(self.texts))
        if self.recipe.texts_from and any(stage.texts for stage in self._stages):
            texts += self._sentences_of(find_task(self.recipe.texts_from))
        return hold_back_texts(texts)

    def _sentences_of(self, task: Task) -> list[str]:
        if len(task.columns) > 1:
            raise InputError(
                f"the recipe has texts_from = {task.name!r}, a task of pairs: name one with single "
                "texts (imdb)"
            )
        return sentences(load_split(task, "train", self.data_dir)[task.columns[0]])

    def examples(self, stage: Stage, task: bool = True) -> Examples:
        """The training examples of a stage: the task's, also with tokens replaced (`task`), joined
        ones, unlabelled texts."""
        rows = self.rows[0]
        length, seed = self.recipe.max_length, self.recipe.seed
        made: list[Example] = []
        if task and not self.task.pooling:
            known = labelled(rows, self.task, self.tokenizer, length)
            made += known
            if stage.replaced:
                made += replaced(known, stage.replaced, self.tokenizer.all_special_ids, seed)
            if stage.whole:
                made += stage.whole * [known[i] for i in wholes(rows[self.task.columns[0]])]
        if stage.joined:
            made += joined(rows, self.task, stage.joined, self.tokenizer, length, seed)
        if stage.texts:
            texts = list(self.unlabelled[0]["text"])
            made += unlabelled(texts, stage.texts, self.tokenizer, length, seed)
        return Examples(made)


def shared_tokenizer(teacher: str, student: str | None) -> PreTrainedTokenizerBase:
    """The student's tokenizer, which must have the teacher's vocabulary: all get the same ids.

    Raises `InputError`.
    """
    theirs = load_tokenizer(teacher)
    if student is None:
        return theirs
    ours = load_tokenizer(student)
    if ours.get_vocab() != theirs.get_vocab():
        raise InputError(
            f"{student} and {teacher} have different vocabularies ({len(ours)} and {len(theirs)} "
            "tokens), but teacher and student get the same ids: choose a student with the "
            "teacher's vocabulary"
        )
    return ours
