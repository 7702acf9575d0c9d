from pathlib import Path

import pytest

from bench.errors import HeatmarkError
from bench.pretrained.by_name import about
from bench.suites.load import load_suite
from bench.suites.read import shipped_suites

GOOD = """
name = "mine"
[dataset]
name = "planted"
test_images = 20
images = 10
[[networks]]
architecture = "small_plain"
[networks.training]
epochs = 1
[[attributions]]
name = "integrated_gradients"
[[attributions]]
name = "random_map"
[[metrics]]
name = "deletion"
step = 5
[quick]
dataset = { images = 3 }
networks = { training = { epochs = 2 } }
"""


@pytest.fixture
def suite_file(tmp_path: Path):
    def write(content: str) -> str:
        path = tmp_path / "mine.toml"
        path.write_text(content)
        return str(path)

    return write


def test_a_suite_names_its_plugins_with_their_settings(suite_file) -> None:
    suite = load_suite(suite_file(GOOD))
    assert suite.dataset.settings["test_images"] == 20
    assert [method.name for method in suite.attributions] == ["integrated_gradients", "random_map"]
    assert suite.metrics[0].label == "deletion(step=5)"
    assert suite.table.networks[0].training is not None
    assert suite.table.networks[0].training.epochs == 1


def test_overrides_and_the_quick_size_are_laid_over_the_file(suite_file) -> None:
    path = suite_file(GOOD)
    quick = load_suite(path, quick=True)
    assert quick.table.dataset.images == 3
    assert quick.table.networks[0].training is not None
    assert quick.table.networks[0].training.epochs == 2
    assert load_suite(path, {"dataset": {"images": 4}}, quick=True).table.dataset.images == 4


def test_several_recipes_are_a_network_each_and_quick_sizes_reach_all(suite_file) -> None:
    recipes = 'recipes = [{ name = "standard" }, { name = "madry", steps = 2 }]'
    path = suite_file(GOOD.replace('"small_plain"', f'"small_plain"\n{recipes}'))
    suite, quick = load_suite(path), load_suite(path, quick=True)
    assert [recipe.label for recipe in suite.recipes] == ["standard", "madry(steps=2)"]
    epochs = [[table.training and table.training.epochs for table in own.table.networks] for own in (suite, quick)]
    assert epochs == [[1, 1], [2, 2]]
    assert len(suite.written["networks"]) == 1


def test_only_keeps_the_settings_of_the_suite(suite_file) -> None:
    suite = load_suite(suite_file(GOOD), only={"metrics": ["insertion", "deletion"], "attributions": None})
    assert [metric.label for metric in suite.metrics] == ["insertion", "deletion(step=5)"]
    assert len(suite.attributions) == 2


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "mine"', 'nme = "mine"', r"mine.toml: nme: unknown key; did you mean 'name'"),
        ('name = "mine"', 'name = "a/b"', r"mine.toml: name: 'a/b' is no name: expected no '/'"),
        ("images = 10", "imags = 10", r"mine.toml: dataset.imags: planted has no such setting; did you mean 'images'"),
        ("images = 10", 'images = "ten"', r'mine.toml: dataset.images: input should be a valid integer, got "ten"'),
        ("images = 10", "images = 0", r"mine.toml: dataset.images: input should be greater than 0, got 0"),
        (
            "images = 10",
            'split = "tset"',
            r"dataset.split: planted has no split 'tset'; did you mean 'test'",
        ),
        ('"planted"', '"plantd"', r"mine.toml: dataset.name: no dataset named 'plantd'; did you mean 'planted'"),
        ("epochs = 1", "epoch = 1", r"mine.toml: networks\[0\].training.epoch: unknown key; did you mean 'epochs'"),
        ("epochs = 1", "batch = 0", r"mine.toml: networks\[0\].training: batch 0: expected 1 or more$"),
        ("epochs = 1", "epochs = 1.5", r"mine.toml: networks\[0\].training.epochs: .*integer"),
        ('"random_map"', '"random_mup"', r"mine.toml: attributions\[1\].name: .* did you mean 'random_map'"),
        ('"random_map"', '"integrated_gradients"', r"attributions: integrated_gradients is there 2 times"),
        ("step = 5", "stp = 5", r"mine.toml: metrics\[0\].stp: deletion has no such setting; did you mean 'step'"),
        ("step = 5", 'protocol = "rise2019"', r"mine.toml: metrics\[0\].protocol: input should be .*rise2018"),
        ("step = 5", 'protocol = "torchcam-0.6"', r"metrics\[0\].protocol: .*; did you mean 'torchcam-0.[45]'\?$"),
        ("step = 5", "step = 0", r"mine.toml: metrics\[0\]: step 0: expected 1 or more$"),
        ('"random_map"', '"occlusion"\nwindow = -1', r"mine.toml: attributions\[1\]: window -1: expected 1 or more$"),
        ('name = "deletion"', "", r"mine.toml: metrics\[0\].name: expected the name of one of the metrics"),
        ('"small_plain"', '"small_plain"\nrecipe = { name = "standart" }', r"networks\[0\].recipe.name: .*'standard'"),
        ('"small_plain"', '"small_plain"\nrecipes = "standard"', r"networks\[0\].recipes: unknown key; .*'recipe'"),
        (
            '"small_plain"',
            '"small_plain"\nrecipe = { name = "madry" }\nrecipes = [{ name = "standard" }]',
            r"networks\[0\].recipes: unknown key",
        ),
        (
            '"small_plain"',
            '"small_plain"\nrecipes = [{ name = "standard" }, { name = "mdry" }]',
            r"networks\[1\].recipe.name: .*'madry'",
        ),
        (
            '"small_plain"',
            '"small_plain"\nweights = "$NO_SUCH_FOLDER/w.pt"',
            r"\[0\].weights: .*NO_SUCH_FOLDER",
        ),
        ("[[networks]]", "[networks]", r"mine.toml: networks: input should be a valid array"),
        (
            '"small_plain"',
            '"small_plain"\npreprocess = { std = [0.0, 1.0, 1.0] }',
            r"networks\[0\].preprocess.std\[0\]: input should be greater than 0, got 0.0",
        ),
        (
            '"small_plain"',
            '"small_plain"\npreprocess = { mean = [0.5] }',
            r"networks\[0\].preprocess: 1 means and 3 deviations: expected one of each per channel",
        ),
        *[
            (
                '"small_plain"',
                f'"small_plain"\npreprocess = {{ size = {size} }}',
                rf"networks\[0\].preprocess.size: expected \[height, width\], got {size}".replace("t [", r"t \["),
            )
            for size in ("224", "[224]", "[1, 2, 3]")
        ],
        (
            '"small_plain"',
            '"small_plain"\npreprocess = { resize = [224] }',
            r"preprocess.resize: expected the length of the shorter side, or \[height, width\], got \[224\]",
        ),
        ("[dataset]", "[dataset", r"mine.toml cannot be read as a suite"),
        ("[[metrics]]", "[[metric]]", r"mine.toml: metric: unknown key; did you mean 'metrics'"),
        ('name = "mine"', "", r"mine.toml: name: field required"),
    ],
)
def test_a_mistake_is_one_line_with_file_key_and_nearest_name(suite_file, old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(HeatmarkError, match=message) as caught:
        load_suite(suite_file(GOOD.replace(old, new, 1)))
    assert "\n" not in str(caught.value)


def test_a_missing_suite_is_answered_with_the_nearest() -> None:
    with pytest.raises(HeatmarkError, match="did you mean 'embedded'"):
        load_suite("embeded")


@pytest.mark.parametrize("name", shipped_suites())
def test_every_shipped_suite_is_valid(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HEATMARK_REAL_DATA", str(tmp_path))
    assert load_suite(name, allow_code=True).table.name == name
    assert load_suite(name, quick=True, allow_code=True).table.name == name


@pytest.mark.parametrize("name", ["imagenet_cnn", "imagenet_vit", "photographs", "photographs_networks"])
def test_every_network_that_a_shipped_suite_names_is_known_to_its_library(name: str, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("HEATMARK_REAL_DATA", str(tmp_path))
    for table in load_suite(name).table.networks:
        assert len(about(table.architecture, table.weights or "DEFAULT").wordnet_ids) == 1000


def test_quick_needs_a_table_of_its_own(suite_file) -> None:
    with pytest.raises(HeatmarkError, match=r"has no table \[quick\]"):
        load_suite(suite_file(GOOD[: GOOD.index("[quick]")]), quick=True)
