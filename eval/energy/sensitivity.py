"""How the report's answers change when a figure is another: free, twice or half."""

from collections.abc import Mapping
from dataclasses import dataclass

from inhibi.eval.energy.energy import SCOPES, Model, over
from inhibi.eval.energy.figures import ACCESS, Technology
from inhibi.eval.energy.variants import INTEGER_DOT_PRODUCT, INTEGER_INHIBITOR

FREE = {
    "memory free, look-ups too": {ACCESS: 0.0},
    "exp free: look-ups in softmax's table": {"look-up.int16": 0.0},
    "division free": {"divide": 0.0},
}
OFF_BY = 2.0


@dataclass(frozen=True)
class Answer:
    """Energy of the integer dot product over that of the integer inhibitor, by scope."""

    change: str
    ratios: dict[str, float]


def answers(models: Mapping[str, Model], technology: Technology) -> list[Answer]:
    """As the figures stand, with some free, with every assumption against the inhibitor, and with
    each figure, published or derived, twice and half. `models` by the variants' names.

    Figures derived from a changed one change with it.
    """
    made = [Answer("as the figures stand", _ratios(models, technology))]
    for change, factors in FREE.items():
        made.append(Answer(change, _ratios(models, technology.scaled(factors))))
    least = technology.against_inhibitor()
    made.append(Answer("every assumption against the inhibitor", _ratios(models, least)))
    for name in _figures(models, technology):
        for factor, said in ((OFF_BY, "twice"), (1 / OFF_BY, "half")):
            changed = technology.scaled({name: factor})
            made.append(Answer(f"{name} {said}", _ratios(models, changed)))
    return made


def _figures(models: Mapping[str, Model], technology: Technology) -> list[str]:
    """Those of the two models and all that they are derived from, published ones first."""
    compared = (models[v.name] for v in (INTEGER_INHIBITOR, INTEGER_DOT_PRODUCT))
    used = {name for model in compared for name in model.figures(technology)}
    return sorted(used, key=lambda name: (name not in technology.published, name))


def _ratios(models: Mapping[str, Model], technology: Technology) -> dict[str, float]:
    energies = {
        variant: {
            scope: models[variant.name].scope(scope).energy(technology).total for scope in SCOPES
        }
        for variant in (INTEGER_INHIBITOR, INTEGER_DOT_PRODUCT)
    }
    return {
        scope: over(energies[INTEGER_DOT_PRODUCT][scope], energies[INTEGER_INHIBITOR][scope])
        for scope in SCOPES
    }
