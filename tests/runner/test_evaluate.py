import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from skimage.data import chelsea
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import bench
from bench.api import Network, Preprocess, Request, Sample
from bench.data.transforms import prepare
from bench.errors import HeatmarkError
from bench.methods.attributions.simple_gradient import SimpleGradient
from bench.metrics.faithfulness.deletion import Deletion
from bench.progress import progress
from bench.report.tables import table_of
from bench.report.view import view_of
from bench.results.cell_store import Store
from bench.runner.records import Run
from bench.runner.run import run_suite
from bench.suites.load import with_plugins
from bench.suites.make import make_plugin
from bench.suites.read import suite_of_settings

NAMES = {"attributions": ["simple_gradient", "oracle"], "metrics": ["deletion", "pointing_game"]}


def test_one_row_per_image_attribution_and_metric(network: Network, request_of) -> None:
    request = request_of(5)
    scores = bench.evaluate(network.module, request.images, truth=request.truth, **NAMES)
    assert len(scores) == 5 * 2 * 2
    assert scores.status.eq("ok").all()
    np.testing.assert_allclose(scores.query("attribution == 'oracle' and metric == 'pointing_game'").score, 1)
    assert scores.target[:5].tolist() == request.targets.tolist()


def test_the_model_and_images_are_left_alone(network: Network, request_of) -> None:
    request = request_of(2)
    network.module.train()
    before = [weight.clone() for weight in network.module.parameters()]
    images = request.images.clone()
    bench.evaluate(network.module, request.images, attributions=["simple_gradient"], metrics=["deletion"])
    assert network.module.training
    assert all(weight.requires_grad and weight.grad is None for weight in network.module.parameters())
    assert all(torch.equal(*pair) for pair in zip(before, network.module.parameters(), strict=True))
    assert torch.equal(images, request.images)


def test_instances_and_names_may_be_mixed(network: Network, request_of) -> None:
    images = request_of(2).images
    scores = bench.evaluate(
        network.module,
        images,
        torch.tensor([1, 2]),
        attributions=["random_map", SimpleGradient(reduction="sum")],
        metrics=[Deletion(step=30)],
    )
    assert set(scores.attribution) == {"random_map", "simple_gradient(reduction=sum)"}
    assert set(scores.target) == {1, 2}


def test_a_score_belongs_to_the_image_id(network: Network, request_of) -> None:
    images = request_of(3).images
    names = {"attributions": ["random_map"], "metrics": ["gini"]}
    whole = bench.evaluate(network.module, images, image_ids=["a", "b", "c"], **names)
    alone = bench.evaluate(network.module, images[2:], image_ids=["c"], **names)
    assert whole.score[2] == alone.score[0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"attributions": ["simple_gradent"]}, "did you mean 'simple_gradient'"),
        ({"metrics": ["deletio"]}, "did you mean 'deletion'"),
        ({"attributions": "simple_gradient"}, "attributions: expected a list of names or instances"),
        ({"metrics": []}, "metrics: expected a list of names or instances"),
        ({"targets": torch.tensor([1])}, r"targets: expected 2, one for each image, got the shape \(1,\)"),
        ({"targets": torch.tensor([1, 5])}, "targets: expected whole numbers from 0 to 4"),
        ({"targets": torch.tensor([1, -1])}, "targets: expected whole numbers from 0 to 4"),
        ({"targets": torch.tensor([1.0, 2.0])}, "targets: expected whole numbers from 0 to 4"),
        ({"truth": torch.zeros(3, 12, 10)}, "truth: expected 2, one for each image"),
        ({"truth": torch.zeros(2, 9, 10)}, r"truth: expected a map of shape \(12, 10\) for each image, got \(9, 10\)"),
        ({"truth": torch.zeros(2, 1, 12, 10)}, r"truth: expected a tensor of shape \(2, height, width\)"),
        ({"references": torch.zeros(4, 3, 9, 9)}, r"references: expected a tensor of shape \(any, 3, 12, 10\)"),
        ({"image_ids": ["a"]}, "image_ids: expected 2, one for each image, got 1"),
        ({"image_ids": ["a", "a"]}, "image_ids: 'a' is there 2 times"),
        ({"attributions": ["oracle"], "truth": None}, "oracle.*needs a truth map"),
    ],
)
def test_what_does_not_fit_is_one_line(network: Network, request_of, settings: dict, message: str) -> None:
    request = request_of(2)
    with pytest.raises(HeatmarkError, match=message):
        bench.evaluate(network.module, request.images, **{**NAMES, "truth": request.truth, **settings})


@pytest.mark.parametrize(
    "images", [torch.zeros(3, 8, 8), torch.zeros(0, 3, 8, 8), np.zeros((2, 3)), np.zeros((2, 3, 8, 8), int)]
)
def test_images_must_be_a_batch(network: Network, images) -> None:
    with pytest.raises(
        HeatmarkError, match=r"images(\[0\])?: expected floating point \(batch, channel, height, width\)"
    ):
        bench.evaluate(network.module, images, **NAMES)


@pytest.mark.parametrize(
    ("returned", "told"),
    [
        (lambda logits: (logits, logits), "returns tuple"),
        (lambda logits: logits[:, 0], r"returns a tensor of shape \(2,\)"),
        (lambda logits: logits[:, :, None, None], r"returns a tensor of shape \(2, 5, 1, 1\)"),
    ],
)
def test_a_model_must_return_logits(network: Network, request_of, returned, told: str) -> None:
    class Other(torch.nn.Module):
        def forward(self, images):
            return returned(network.module(images))

    with pytest.raises(HeatmarkError, match=f"network 'network' {told}; expected logits"):
        bench.evaluate(Other(), request_of(2).images, **NAMES)


def test_a_model_must_leave_its_input_alone(network: Network, request_of) -> None:
    class Normalising(torch.nn.Module):
        def forward(self, images):
            return network.module(images.mul_(0.5))

    images = request_of(2).images
    before = images.clone()
    with pytest.raises(HeatmarkError, match="network 'network' changes the images that it is given, in place"):
        bench.evaluate(Normalising(), images, attributions=["random_map"], metrics=["deletion"])
    assert torch.equal(images, before)


RAW = {"attributions": ["simple_gradient", "oracle"], "metrics": ["deletion", "pointing_game"], "batch": 2}


@pytest.fixture
def pictures() -> np.ndarray:
    """Five pictures of 8 bits, (5, 12, 10, 3)."""
    return np.random.default_rng(0).integers(0, 256, (5, 12, 10, 3), dtype=np.uint8)


def as_paths(pictures: np.ndarray, folder: Path) -> list[Path]:
    paths = [folder / f"{row}.png" for row in range(len(pictures))]
    for path, picture in zip(paths, pictures, strict=True):
        Image.fromarray(picture).save(path)
    return paths


def as_tensor(pictures: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255


FORMS = {
    "8-bit array": lambda pictures, folder: pictures,
    "8-bit tensor": lambda pictures, folder: torch.from_numpy(pictures).permute(0, 3, 1, 2),
    "float array": lambda pictures, folder: as_tensor(pictures).numpy(),
    "list of arrays": lambda pictures, folder: list(pictures),
    "PIL images": lambda pictures, folder: [Image.fromarray(picture) for picture in pictures],
    "paths": as_paths,
    "texts": lambda pictures, folder: [str(path) for path in as_paths(pictures, folder)],
    "data set": lambda pictures, folder: TensorDataset(as_tensor(pictures), torch.arange(5)),
    "loader": lambda pictures, folder: DataLoader(TensorDataset(as_tensor(pictures), torch.arange(5)), batch_size=3),
    "loader of dicts": lambda pictures, folder: DataLoader(
        [{"image": one} for one in as_tensor(pictures)], batch_size=2
    ),
    "folder": lambda pictures, folder: as_paths(pictures, folder)[0].parent,
}
WITH_LABELS = {"data set", "loader"}
PICTURES = {"8-bit array", "8-bit tensor", "list of arrays", "PIL images", "paths", "texts", "folder"}


@pytest.mark.parametrize("form", FORMS)
def test_the_form_of_the_images_changes_no_score(
    network: Network, pictures: np.ndarray, tmp_path: Path, form: str
) -> None:
    module, truth = network.module.float(), torch.rand(5, 12, 10)
    expected = bench.evaluate(module, as_tensor(pictures), truth=truth, **RAW)
    got = bench.evaluate(module, FORMS[form](pictures, tmp_path), truth=truth, **RAW)
    pd.testing.assert_frame_equal(got, expected)


@pytest.mark.parametrize("form", [form for form in FORMS if form not in WITH_LABELS])
def test_images_without_labels_are_not_explained_by_label(
    network: Network, pictures: np.ndarray, tmp_path: Path, form: str
) -> None:
    images = FORMS[form](pictures, tmp_path)
    with pytest.raises(HeatmarkError, match=r"^targets: these images carry no labels; give a list of .*, or None for"):
        bench.evaluate(network.module.float(), images, "labels", attributions=["random_map"], metrics=["gini"])


@pytest.mark.parametrize("name", ["photographs", {"name": "photographs", "images": 2}, "instance"])
def test_a_data_set_that_nobody_labelled_is_not_explained_by_label(network: Network, name: object) -> None:
    images = make_plugin("datasets", {"name": "photographs"}, "datasets") if name == "instance" else name
    with pytest.raises(HeatmarkError, match=r"^targets: these images carry no labels"):
        bench.explain(network, images, "labels", attributions=["random_map"])


def test_one_image_without_a_label_is_named(network: Network, pictures: np.ndarray) -> None:
    images = list(zip(as_tensor(pictures), range(5), strict=True))
    images[3] = images[3][:1]
    with pytest.raises(HeatmarkError, match=r"^targets: images\[3\] carries no label;"):
        bench.explain(network.module.float(), images, "labels", attributions=["random_map"])


@pytest.mark.parametrize("form", FORMS)
def test_pictures_without_a_preprocess_are_told_of_once(
    network: Network, pictures: np.ndarray, tmp_path: Path, caplog: pytest.LogCaptureFixture, form: str
) -> None:
    module, images = network.module.float(), FORMS[form](pictures, tmp_path)
    bench.explain(module, images, attributions=["random_map"], batch=2)
    said = [record.getMessage() for record in caplog.records]
    told = "network: its weights do not say how they want images: taken at 12 x 10, mean 0, deviation 1; set"
    assert [line.startswith(told) for line in said] == [True] * (form in PICTURES)
    caplog.clear()
    bench.explain(module, images, attributions=["random_map"], preprocess={"size": [12, 10]})
    assert not caplog.records


@pytest.mark.parametrize(
    "images",
    [
        torch.zeros(2, 64, 64, 3),
        torch.zeros(2, 64, 64, 3, dtype=torch.uint8),
        np.zeros((2, 64, 64, 3)),
        [torch.zeros(64, 64, 3)],
    ],
)
def test_channels_that_stand_last_are_told_of(network: Network, images: object) -> None:
    with pytest.raises(HeatmarkError, match=r"^images\[0\]: \(64, 64, 3\) looks like \(height, width, channel\);"):
        bench.explain(network.module.float(), images, attributions=["random_map"])


def test_the_batch_changes_no_score_and_no_order(network: Network, request_of) -> None:
    request = request_of(5)
    whole, parted = (
        bench.evaluate(network.module, request.images, truth=request.truth, **NAMES, batch=size) for size in (32, 2)
    )
    pd.testing.assert_frame_equal(parted, whole)


def test_pictures_go_through_the_preprocessing_of_the_network(network: Network, pictures: np.ndarray) -> None:
    preprocess = Preprocess((8, 8), None, (0.5,) * 3, (0.25,) * 3)
    module = network.module.float()
    got = bench.explain(module, pictures, attributions=["simple_gradient"], preprocess=preprocess)
    ready = [prepare(Sample("", image, 0), preprocess).image for image in as_tensor(pictures)]
    expected = bench.explain(module, torch.stack(ready), attributions=["simple_gradient"])
    torch.testing.assert_close(got["simple_gradient"], expected["simple_gradient"])
    assert got["simple_gradient"].shape == (5, 3, 8, 8)


def test_targets_by_name_and_by_label(network: Network, request_of) -> None:
    images, classes = request_of(3).images, ["ant", "bee", "cat", "dog", "elk"]
    names = {"attributions": ["random_map"], "metrics": ["gini"]}
    by_name = bench.evaluate(network.module, images, ["elk", "ant", "elk"], classes=classes, **names)
    assert by_name.target.tolist() == [4, 0, 4]
    labelled = TensorDataset(images, torch.tensor([1, 2, 3]))
    assert bench.evaluate(network.module, labelled, "labels", **names).target.tolist() == [1, 2, 3]
    with pytest.raises(HeatmarkError, match="no class is named 'bea'; did you mean 'bee'"):
        bench.evaluate(network.module, images, ["bea"] * 3, classes=classes, **names)
    with pytest.raises(HeatmarkError, match="give `classes`"):
        bench.evaluate(network.module, images, ["bee"] * 3, **names)


def test_labels_that_the_network_does_not_find_are_said(network: Network, request_of, caplog) -> None:
    images, names = request_of(12).images, {"attributions": ["random_map"], "metrics": ["gini"]}
    found = network.logits(images).argmax(1)
    for labels, said in ((found, False), ((found + 1) % 5, True)):
        caplog.clear()
        bench.evaluate(network.module, TensorDataset(images, labels), "labels", batch=5, **names)
        line = "network gets 0 of 12 images right, no more than guessing among 5 classes may: "
        assert [message.startswith(line) for message in caplog.messages if "images right" in message] == [True] * said


def test_whether_labels_are_found_is_asked_among_those_that_stand_for_a_class(
    network: Network, request_of, caplog
) -> None:
    images, own = request_of(24).images, replace(network, label_map=(1, 3))
    labels = network.logits(images)[:, [1, 3]].argmax(1)
    assert (network.logits(images).argmax(1) == own.outputs_of(labels)).float().mean() < 0.5
    names = {"attributions": ["random_map"], "metrics": ["gini"]}
    bench.evaluate(own, TensorDataset(images, labels), "labels", **names)
    assert not [message for message in caplog.messages if "images right" in message]


def test_levels_of_pictures_given_as_numbers_are_said(network: Network, request_of, caplog) -> None:
    images = request_of(2).images.clamp(0, 1)
    for given, said in ((images, False), (images * 255, True), (images * 255 - 255, True), (images - 1, False)):
        caplog.clear()
        bench.evaluate(network.module, given, attributions=["random_map"], metrics=["gini"])
        assert ["8-bit arrays (batch, height, width, 3)" in message for message in caplog.messages] == [True] * said


def test_a_data_set_of_the_suite_brings_truth_and_labels() -> None:
    planted = make_plugin("datasets", {"name": "planted", "test_images": 3}, "datasets")
    scores = bench.evaluate(
        nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 8)),
        planted,
        "labels",
        attributions=["oracle"],
        metrics=["pointing_game"],
        preprocess=Preprocess(),
    )
    np.testing.assert_allclose(scores.score, 1)
    assert scores.target.tolist() == list(planted.labels("test"))


class Failing(SimpleGradient):
    def attribute(self, network: Network, request: Request) -> torch.Tensor:
        raise ValueError("no luck")


def test_a_plugin_that_fails_raises_or_gives_a_status(network: Network, request_of) -> None:
    images = request_of(3).images
    both = {"attributions": ["simple_gradient", Failing()], "metrics": ["deletion"]}
    with pytest.raises(ValueError, match="no luck"):
        bench.evaluate(network.module, images, **both)
    scores = bench.evaluate(network.module, images, **both, on_error="status")
    alone = bench.evaluate(network.module, images, attributions=["simple_gradient"], metrics=["deletion"])
    pd.testing.assert_frame_equal(scores[scores.attribution == "simple_gradient"], alone)
    failed = scores[scores.attribution == "failing"]
    assert failed.status.eq("failed: ValueError: no luck").all()
    assert failed.score.isna().all()


def test_fixations_reach_the_metrics(network: Network, request_of) -> None:
    points = [torch.tensor([[3.5, 4.5, 200.0, 1.0]])] * 2
    images = request_of(2).images
    scores = bench.evaluate(network.module, images, attributions=["random_map"], metrics=["nss"], fixations=points)
    assert scores.status.eq("ok").all()


@pytest.mark.parametrize(
    "images",
    [
        None,
        3,
        "photo.png",
        [None],
        [[1, 2]],
        [np.zeros(4)],
        [torch.zeros(3, 8, 8, dtype=torch.complex64)],
        {"a": 1},
        [],
    ],
)
def test_what_is_no_image_is_one_line(network: Network, images: object) -> None:
    with pytest.raises(HeatmarkError, match="images"):
        bench.evaluate(network.module, images, attributions=["random_map"], metrics=["gini"])


def test_a_table_says_how_images_are_prepared_as_in_a_suite(network: Network, pictures: np.ndarray) -> None:
    def maps(model: object, preprocess: object) -> torch.Tensor:
        (own,) = bench.explain(model, pictures, attributions=["simple_gradient"], preprocess=preprocess).values()
        return own

    table = {"size": [8, 8], "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}
    whole = maps(network.module, Preprocess((8, 8), None, (0.5,) * 3, (0.25,) * 3))
    assert torch.equal(maps(network.module, table), whole)
    known = replace(network, preprocess=Preprocess((8, 8), None, (0.5,) * 3, (1.0,) * 3))
    assert torch.equal(maps(known, {"std": [0.25, 0.25, 0.25]}), whole)


@pytest.mark.parametrize(
    ("preprocess", "message"),
    [
        ({"siz": [8, 8]}, "^preprocess: siz: unknown key; did you mean 'size'"),
        ({"size": [8]}, r"^preprocess: size: expected \[height, width\], got \[8\]"),
        ([8, 8], "preprocess: expected a Preprocess or a table with settings"),
    ],
)
def test_a_table_of_preprocessing_that_does_not_fit_is_one_line(
    network: Network, pictures: np.ndarray, preprocess: object, message: str
) -> None:
    with pytest.raises(HeatmarkError, match=message):
        bench.explain(network.module, pictures, attributions=["random_map"], preprocess=preprocess)


def test_images_of_several_sizes_need_a_preprocess(network: Network) -> None:
    images = [torch.zeros(3, 8, 8, dtype=torch.float64), torch.zeros(3, 9, 8, dtype=torch.float64)]
    with pytest.raises(HeatmarkError, match="images: expected one shape"):
        bench.evaluate(network.module, images, attributions=["random_map"], metrics=["gini"])


SMALL = {
    "architecture": "small_plain",
    "weights": f"{Path(bench.__file__).parent}/trained/small_plain-standard.safetensors",
}
PLANTED = {"name": "planted", "test_images": 8, "images": 6}


def test_a_network_by_name_brings_its_weights_preprocessing_and_classes() -> None:
    names = {"attributions": ["random_map"], "metrics": ["gini"]}
    scores = bench.evaluate("efficientnet_lite0", [chelsea()], ["tabby"], device="cpu", **names)
    assert scores.target.tolist() == [281]
    predicted = bench.evaluate("efficientnet_lite0", [Image.fromarray(chelsea())], device="cpu", **names)
    assert predicted.target[0] in {281, 282, 285}  # tabby, tiger cat, Egyptian cat


def test_a_folder_and_a_file_are_images(tmp_path: Path) -> None:
    for name in ("ant", "bee"):
        (tmp_path / name).mkdir()
        Image.fromarray(chelsea()).save(tmp_path / name / "cat.png")
    names = {"attributions": ["random_map"], "metrics": ["gini"], "device": "cpu"}
    table = {**SMALL, "outputs": 8, "label_map": [3, -1]}
    scores = bench.evaluate(table, tmp_path, "labels", **names)
    assert (scores.image.tolist(), scores.target.tolist()) == (["ant/cat.png"], [3])
    assert len(bench.evaluate(table | {"label_map": None}, str(tmp_path / "ant" / "cat.png"), **names)) == 1


def test_names_give_the_board_that_the_suite_gives(tmp_path: Path) -> None:
    methods, metrics = ["simple_gradient", "random_map", "oracle"], [Deletion(step=512), "pointing_game"]
    frame = bench.evaluate(SMALL, PLANTED, attributions=methods, metrics=metrics, device="cpu")
    written = {
        "name": "same",
        "dataset": PLANTED,
        "networks": [SMALL],
        "attributions": [{"name": name} for name in methods],
        "metrics": [{"name": "deletion", "step": 512}, {"name": "pointing_game"}],
    }
    suite = with_plugins(suite_of_settings(written, "heatmark run same", tmp_path))
    with progress() as bars:
        results = run_suite(Run(suite, Store(tmp_path), torch.device("cpu"), bars))
    ours, theirs = bench.leaderboard(frame).table, table_of(view_of(results).board)
    columns = ["attribution", "metric", "rank", "group", "mean", "low", "high", "calibrated", "wins", "target"]
    pd.testing.assert_frame_equal(ours[columns], theirs[columns], rtol=1e-5, check_dtype=False)


@pytest.mark.parametrize(
    ("model", "images", "message"),
    [
        ("resnet51", [chelsea()], "no architecture 'resnet51'; did you mean 'resnet50'"),
        ({**SMALL, "wieghts": "x"}, PLANTED, "wieghts: unknown key; did you mean 'weights'"),
        ({"architecture": "small_plain", "training": {}}, PLANTED, "`training` is for suites"),
        (SMALL, "plantet", "images: no file or folder 'plantet', and no dataset named 'plantet'; did you mean"),
        (SMALL, {"name": "planted", "splitt": "test"}, "splitt: planted has no such setting; did you mean"),
        (3, [chelsea()], "model: expected a name, a torch.nn.Module or a Network, got int"),
    ],
)
def test_a_name_that_is_none_is_one_line(model, images, message: str) -> None:
    with pytest.raises(HeatmarkError, match=message) as caught:
        bench.evaluate(model, images, attributions=["random_map"], metrics=["gini"])
    assert "\n" not in str(caught.value)


MANY = """
import os
from pathlib import Path
import torch, bench
from torch import nn

class Many(torch.utils.data.Dataset):
    def __len__(self):
        return 2000

    def __getitem__(self, position):
        if position % 100 == 0:
            print(position, int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"))
        return torch.rand(3, 96, 96), 0

module = nn.Sequential(nn.Conv2d(3, 4, 5, 4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5))
bench.evaluate(module, Many(), attributions=["simple_gradient"], metrics=["deletion", "gini"], batch=50)
"""


@pytest.mark.long
def test_memory_is_flat_in_the_number_of_images() -> None:
    """2,000 images of 110 kB; what grows after the first 400 would be 180 MB if images were kept."""
    done = subprocess.run([sys.executable, "-c", MANY], capture_output=True, text=True, check=True)
    resident = {int(position): int(size) for position, size in map(str.split, done.stdout.splitlines())}
    assert len(resident) == 20
    growth = max(size for position, size in resident.items() if position > 400) - resident[400]
    assert growth < 40e6
    print(f"grew by {growth / 1e6:.0f} MB after 400 images")  # noqa: T201
