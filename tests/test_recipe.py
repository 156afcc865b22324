"""Recipes: the packaged ones are valid, mistakes are one line."""

from pathlib import Path

import pytest

from inhibi.engine.errors import InputError
from inhibi.kd.attention import InhibitorSettings
from inhibi.kd.recipe import packaged, read_recipe


@pytest.mark.parametrize("name", sorted(packaged()))
def test_packaged_recipes(name: str) -> None:
    by_name, by_path = read_recipe(name), read_recipe(packaged()[name])
    assert by_name == by_path
    assert by_name.qat.steps > 0
    assert isinstance(by_name.inhibitor, InhibitorSettings)


@pytest.mark.parametrize(
    "names", ["e0 e1 e2 best", "glue/e0 glue/e1 glue/e2 glue/best", "imdb/e0 imdb/best"]
)
def test_recipes_of_a_comparison_are_quantized_alike(names: str) -> None:
    """So that only the method before differs."""
    assert len({read_recipe(name).qat for name in names.split()}) == 1


def test_one_task_agnostic_student_serves_all_tasks() -> None:
    one, other = read_recipe("e1"), read_recipe("glue/e1")
    for name in ("texts_from", "inhibitor", "align", "distill"):
        assert getattr(one, name) == getattr(other, name)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("seed = ", "is no TOML file"),
        ("sed = 1", "unknown entry 'sed'"),
        ("[align]\nstep = 5", r"\[align\] has the unknown entry 'step'"),
        ("[qat]\nsteps = 'many'", "steps must be a whole number"),
        ("[qat]\nsteps = 2.5", "steps must be a whole number, not 2.5"),
        ("[qat]\nsteps = -1", "must not be negative"),
        ("[qat]\nsteps = true", "steps must be a whole number, not True"),
        ("[align]\nbatch_size = 0", "batch_size must be at least 1"),
        ("[inhibitor]\nfoo = 1", r"\[inhibitor\] has the unknown entry 'foo'"),
        ("[inhibitor]\nn0 = 200", r"must lie in \[0, 128\]"),
        ("[inhibitor]\nscope = 'token'", "write 'head' or 'layer'"),
        ("max_length = 2", "at least 8 tokens"),
        ("distill = 3", "must be a table"),
        ("layers = 3", "layers must be a list of whole numbers, not 3"),
        ("layers = [1, -1]", "layers must be a list of whole numbers"),
        ("layers = [1, 2.0]", "layers must be a list of whole numbers"),
        ("layers = [1, true]", "layers must be a list of whole numbers"),
        ("layers = [3, 1]", "layers must increase"),
        ("layers = [1, 1]", "layers must increase"),
        ("seed = [1]", "seed must be a whole number"),
        ("[distill]\ntemperature = 0", "temperature must be above 0"),
        ("[qat]\npercentile = 0", "percentile must be above 0 and at most 100"),
        ("[qat]\npercentile = 100.1", "percentile must be above 0 and at most 100"),
    ],
)
def test_mistakes(content: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(content)
    with pytest.raises(InputError, match=message) as caught:
        read_recipe(file)
    assert str(caught.value).count(str(file)) == 1


def test_whole_numbers_are_floats_where_those_are_due(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text("[inhibitor]\ngamma = 1\n[distill]\ntask = 2\n")
    recipe = read_recipe(tmp_path / "r.toml")
    assert [type(x) for x in (recipe.inhibitor.gamma, recipe.distill.task)] == [float, float]


def test_layers(tmp_path: Path) -> None:
    assert read_recipe("default").layers == ()
    (tmp_path / "r.toml").write_text("layers = [0, 2]\n")
    assert read_recipe(tmp_path / "r.toml").layers == (0, 2)


def test_an_unknown_recipe_names_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"no recipe mine\.toml: name a TOML file or one of .*e2"):
        read_recipe("mine.toml")


def test_integers_are_not_trained_in_bfloat16(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text("[qat]\nbf16 = true\n")
    with pytest.raises(InputError, match="bf16 does not hold the integers"):
        read_recipe(tmp_path / "r.toml")
