"""Recipes: the packaged ones are valid, mistakes are one line."""

from pathlib import Path

import pytest

from inhibi.engine.errors import InputError
from inhibi.kd.attention import InhibitorSettings
from inhibi.kd.recipe import FOLDER, read_recipe


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.toml")), ids=lambda file: file.stem)
def test_packaged_recipes(file: Path) -> None:
    by_name, by_path = read_recipe(file.stem), read_recipe(file)
    assert by_name == by_path
    assert by_name.qat.steps > 0
    InhibitorSettings(**by_name.inhibitor)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("seed = ", "is no TOML file"),
        ("sed = 1", "unknown entry 'sed'"),
        ("[align]\nstep = 5", r"\[align\] has the unknown entry 'step'"),
        ("[qat]\nsteps = 'many'", "steps must be a number"),
        ("distill = 3", "must be a table"),
    ],
)
def test_mistakes(content: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(content)
    with pytest.raises(InputError, match=message):
        read_recipe(file)


def test_an_unknown_recipe_names_the_known_ones() -> None:
    with pytest.raises(
        InputError, match=r"no recipe mine\.toml: name a TOML file or one of .*sst2"
    ):
        read_recipe("mine.toml")
