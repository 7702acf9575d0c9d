"""Part metrics on FunnyBirds: parts go in the authors' images, not by painting over them."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

from bench.api import Explained, ImageRandom, Network, Preprocess, Request
from bench.data.batches import load
from bench.data.transforms import read_image
from bench.datasets.funny_birds import LEVELS, PARTS, FunnyBirds
from bench.methods.attributions.input_x_gradient import InputXGradient
from bench.metrics.faithfulness.part_completeness import PartCompleteness
from bench.metrics.faithfulness.part_contrastivity import PartContrastivity
from bench.metrics.faithfulness.part_correctness import PartCorrectness
from bench.scoring.measure import explained_by, measure
from bench.training.weight_files import read_weights
from tests.support.small_birds import write_birds

PLAIN = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}


@pytest.fixture(scope="module")
def birds(tmp_path_factory: pytest.TempPathFactory) -> FunnyBirds:
    return FunnyBirds(root=str(write_birds(tmp_path_factory.mktemp("birds"))))


def network_of(size: int) -> Network:
    with torch.random.fork_rng():
        torch.manual_seed(2)
        module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Tanh(), nn.Conv2d(8, 4, 3), nn.Flatten(), nn.Linear(576, 3))
    return Network(module.eval(), preprocess=Preprocess(size=(size, size), **PLAIN), chunk=4)


@pytest.fixture(scope="module")
def explained(birds: FunnyBirds) -> Explained:
    """All test images; explained is what the network says."""
    network = network_of(16)
    batch = load(birds, "test", range(3), network, torch.device("cpu"))
    clean = network.logits(batch.images).detach()
    request = Request(batch.images, clean.argmax(1), ImageRandom(0, "run", batch.ids), batch.truth, None, batch.without)
    return explained_by(InputXGradient(), network, request, clean)


def single_deletion(explained: Explained, dataset: FunnyBirds, row: int, dilation: int = 0, start: int = 0) -> float:
    """As the authors' protocol has it, a part after the other: NaN where all parts are alike."""
    image_id, target = dataset.ids("test")[start + row], int(explained.targets[row])
    colours = (read_image(dataset.folder / image_id.replace("test/", "test_part_map/")) * 255).round()
    widen: Callable[[Tensor], Tensor] = nn.MaxPool2d(2 * dilation + 1, 1, dilation) if dilation else nn.Identity()
    given, lost = [], []
    for part, own in PARTS.items():
        places = [(colours == torch.tensor(colour)[:, None, None]).all(0, keepdim=True).float() for colour in own]
        given.append(sum(float((explained.attributions[row] * widen(place)).sum()) for place in places))
        shown = dataset.without(image_id, (LEVELS[part],))[None].to(explained.images)
        lost.append(float((explained.clean[row] - explained.network.logits(shown).detach()[0])[target]))
    return float(spearmanr(lost, given).statistic)


def test_correctness_is_the_single_deletion_of_the_authors(explained: Explained, birds: FunnyBirds) -> None:
    (scored,) = measure([(PartCorrectness(), explained)])
    slow = [single_deletion(explained, birds, row) for row in range(3)]
    np.testing.assert_allclose(scored.score.numpy(), slow, atol=1e-6)
    assert scored.status == ("ok",) * 3


def predicted(explained: Explained, birds: FunnyBirds, row: int, kept: Iterable[str]) -> int:
    gone = tuple(LEVELS[part] for part in PARTS if part not in kept)
    image = birds.without(birds.ids("test")[row], gone) if gone else explained.images[row]
    return int(explained.network.logits(image[None]).detach().argmax())


@pytest.mark.parametrize("threshold", [0.05, 0.2, 0.4])
def test_completeness_keeps_and_removes_the_named_parts_in_images(
    explained: Explained, birds: FunnyBirds, threshold: float
) -> None:
    (scored,) = measure([(PartCompleteness(threshold=threshold), explained)])
    slow = []
    for row in range(3):
        maps, truth = explained.attributions[row].sum(0).double(), explained.truth[row]
        sums = {part: float(maps[(truth - level).abs() < 0.01].sum()) for part, level in LEVELS.items()}
        positive = sum(max(own, 0) for own in (*sums.values(), float(maps[truth == 0].sum())))
        named = [part for part, own in sums.items() if own > threshold * positive]
        target = int(explained.targets[row])
        enough = predicted(explained, birds, row, named) == target
        needed = predicted(explained, birds, row, [part for part in PARTS if part not in named]) != target
        slow.append((enough + needed) / 2)  # no part is idle for this network
    np.testing.assert_allclose(scored.score.numpy(), slow)


def test_an_image_alone_scores_as_in_company_and_parts_that_are_painted_over_score_otherwise(
    explained: Explained,
) -> None:
    metrics = (PartCorrectness(), PartCompleteness(), PartContrastivity())
    for metric in metrics:
        (together,), (alone,) = measure([(metric, explained)]), measure([(metric, explained.select([2]))])
        torch.testing.assert_close(together.score[2:], alone.score, equal_nan=True)
    painted = Request(*(getattr(explained.request, name) for name in ("images", "targets", "rng", "truth")))
    over = explained_by(InputXGradient(), explained.network, painted, explained.clean)
    (exact,), (wrong,) = measure([(PartCorrectness(), explained)]), measure([(PartCorrectness(), over)])
    assert not torch.equal(exact.score, wrong.score)


@pytest.mark.long
def test_published_accuracy_and_single_deletion_of_input_x_gradient(real_data: Path) -> None:
    """ResNet-50, test split: .998 and .54592 (correlations mapped to 0 to 1, those that are none left out)."""
    from torchvision.models import resnet50

    folder = real_data / "funny_birds"
    weights = folder / "resnet50_final_0_checkpoint_best.pth.tar"
    if not weights.is_file() or not (folder / "FunnyBirds").is_dir():
        pytest.skip("no funny_birds/FunnyBirds and its ResNet-50 in HEATMARK_REAL_DATA: download them to try it")
    dataset, module = FunnyBirds(root=str(folder / "FunnyBirds")), resnet50(num_classes=50)
    module.load_state_dict(read_weights(weights))
    network = Network(module.eval(), preprocess=Preprocess(size=(256, 256), **PLAIN), chunk=8)
    right, correlations = 0, []
    for start in range(0, 500, 10):
        batch = load(dataset, "test", range(start, start + 10), network, torch.device("cpu"))
        clean = network.logits(batch.images).detach()
        request = Request(batch.images, batch.labels, ImageRandom(0, "", batch.ids), batch.truth, None, batch.without)
        own = explained_by(InputXGradient(), network, request, clean)
        right += int((clean.argmax(1) == batch.labels).sum())
        correlations += [single_deletion(own, dataset, row, 2, start) for row in range(10)]
    assert right / 500 == pytest.approx(0.998, abs=1e-9)
    assert np.nanmean(correlations) * 0.5 + 0.5 == pytest.approx(0.54592, abs=5e-3)
