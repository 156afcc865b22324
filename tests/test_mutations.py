"""The cases notice every mistake that tests/mutations.py makes in engine/ops.py."""

import inspect
from types import ModuleType

import numpy as np
import pytest
from case import Case, expected
from cases import CASES
from mutations import MUTATIONS

from inhibi.engine import ops

SOURCE = inspect.getsource(ops)


def mutant(old: str, new: str) -> ModuleType:
    """engine/ops.py with `new` wherever it has `old`."""
    assert old in SOURCE, "this mutation has lost its place"
    module = ModuleType("mutant")
    exec(compile(SOURCE.replace(old, new), "mutant of ops.py", "exec"), module.__dict__)
    return module


def differs(module: ModuleType, case: Case) -> bool:
    """Whether the module is wrong on the case, by its values or by failing."""
    try:
        with np.errstate(all="ignore"):
            result = getattr(module, case.function)(*case.inputs, **case.attributes)
    except (ArithmeticError, IndexError, ValueError):
        return True
    return not np.array_equal(result, expected(case))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(old, new, id=name)
        for old, mistakes in MUTATIONS.items()
        for name, new in mistakes.items()
    ],
)
def test_mutation_is_noticed(old: str, new: str) -> None:
    broken = mutant(old, new)
    assert any(differs(broken, case) for case in CASES)


def test_the_unchanged_module_passes() -> None:
    same = mutant(SOURCE, SOURCE)
    assert not any(differs(same, case) for case in CASES)
