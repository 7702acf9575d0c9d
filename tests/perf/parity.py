"""Our numbers beside those of the libraries that compute the same thing: `nox -s parity`.

Each comparison gives one batch of maps to both and returns both results; the table shows how far they are apart, and
the command fails where that is more than the tolerance. What libraries do differently by intention is in
`bench.scoring.protocols`, and is compared under the protocol of the library's name.
"""

import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torchvision.models import vit_b_16

from bench.api import Explained, Network
from bench.api.registry import find
from bench.functional.correlation import pearson, spearman
from bench.functional.imputation import linear_imputation
from bench.functional.structural_similarity import ssim
from bench.scoring.information_curves import SHARES, _seen, stages
from bench.scoring.measure import measure
from bench.scoring.neighbourhood import steps_around
from tests.perf import parity_of_perturbed, parity_of_removed
from tests.perf.parity_material import HEIGHT, IMAGES, WIDTH, Comparison, Pair, called, material, ours
from tests.perf.relevance_by_lxt import relevance_by_lxt


def quantus_pixel_flipping(explained: Explained) -> Pair:
    import quantus

    metric = quantus.PixelFlipping(
        features_in_step=WIDTH, return_auc_per_sample=True, normalise=True, disable_warnings=True
    )
    theirs = called(metric, explained, explained.attributions)
    return ours("deletion", explained, protocol="quantus-0.6"), theirs


def of_quantus(name: str, metric: str, mass: bool = False) -> Callable[[Explained], Pair]:
    """One of Quantus' metrics of a map, and the truth, with the map as it is; `mass`: log(pixels) times ours."""

    def run(explained: Explained) -> Pair:
        import quantus

        own = getattr(quantus, metric)(normalise=False, abs=False, disable_warnings=True)
        scale = np.log(HEIGHT * WIDTH) if mass else 1
        return ours(name, explained) * scale, called(own, explained, explained.heatmaps[:, None])

    return run


def quantus_imputation(explained: Explained) -> Pair:
    from quantus.functions.perturb_func import noisy_linear_imputation

    missing = explained.heatmaps >= explained.heatmaps.flatten(1).median(1).values[:, None, None]
    places = [np.flatnonzero(own.numpy()) for own in missing]
    theirs = [
        noisy_linear_imputation(image.double().numpy(), own, noise=0.0)
        for image, own in zip(explained.images, places, strict=True)
    ]
    return linear_imputation(explained.images.double(), missing, tolerance=1e-9), np.stack(theirs)


def torchcam_curves(name: str, protocol: str) -> Callable[[Explained], Pair]:
    """Deletion or insertion of torch-cam's own Grad-CAM maps: of the logit as it comes, else handed a softmax."""

    def scores_of(logits: Tensor) -> Tensor:
        return logits.softmax(1) if protocol == "torchcam-0.4" else logits

    def run(explained: Explained) -> Pair:
        from torchcam.methods import GradCAM
        from torchcam.metrics import DeletionInsertionMetric, _resize_cam

        theirs, maps = [], []
        for image, target in zip(explained.images, explained.targets.tolist(), strict=True):
            with GradCAM(explained.network.module, "4") as extractor:
                metric = DeletionInsertionMetric(extractor, scores_of)
                metric.update(image[None].clone().requires_grad_(), target)
                theirs.append(metric.summary()[f"{name}_auc"])
            with GradCAM(explained.network.module, "4") as extractor:
                scores = scores_of(explained.network.module(image[None].clone().requires_grad_()))
                maps.append(_resize_cam(extractor(target, scores)[0], (HEIGHT, WIDTH)).detach())
        own = replace(explained, heatmaps=torch.cat(maps))
        return ours(name, own, protocol=protocol), np.array(theirs)

    return run


def attribench_curves(insertion: bool) -> Callable[[Explained], Pair]:
    """Deletion or insertion with attribench's constant masker at zero."""

    def run(explained: Explained) -> Pair:
        from attribench.functional.metrics.deletion._deletion import _deletion_batch
        from attribench.masking.image import ConstantImageMasker

        maskers = {"zero": ConstantImageMasker("pixel")}
        mode, start, stop = ("lerf", 1.0, 0.0) if insertion else ("morf", 0.0, 1.0)
        given = (explained.images, explained.targets, explained.network.module, explained.heatmaps[:, None], maskers)
        curves = _deletion_batch(*given, ["linear"], mode, start, stop, 100)["zero"]["linear"]
        return ours("insertion" if insertion else "deletion", explained, protocol="attribench-0.1"), curves.mean(1)

    return run


def saliency_curves(explained: Explained) -> Pair:
    """SIC of the classes that the whole images show more of than the blurred ones; logits large enough to tell."""
    from saliency.metrics.pic import ComputePicMetricError, compute_pic_metric

    network = explained.network
    preprocess = replace(network.preprocess, mean=(0.5,) * 3, std=(0.25,) * 3)
    sure = replace(network, module=nn.Sequential(network.module, Times(50.0)), preprocess=preprocess)
    metric = find("metrics")["sic"](least=0.0)
    own = replace(explained, network=sure, rng=explained.rng.of(metric.label))
    ends = [sure.logits(stages(own, row).images[[0, -1]]).detach() for row in range(IMAGES)]
    targets = torch.stack([(whole - blurred).argmax() for blurred, whole in ends])
    own = replace(own, request=replace(own.request, targets=targets))
    (scored,) = measure([(metric, own)])
    theirs = []
    for row in range(IMAGES):
        levels = ((explained.images[row] / 4 + 0.5).clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
        target = targets[row]

        def predict(versions: np.ndarray, target: Tensor = target) -> np.ndarray:
            images = (torch.from_numpy(versions).float().permute(0, 3, 1, 2) / 255 - 0.5) * 4
            return sure.logits(images).softmax(1)[:, target].detach().double().numpy()

        seen = _seen(own.select([row]))
        try:
            heatmap = explained.heatmaps[row].double().numpy()
            theirs.append(compute_pic_metric(levels, heatmap, seen, predict, SHARES, min_pred_value=0.0).auc)
        except ComputePicMetricError:
            theirs.append(np.nan)
    both = scored.score.isnan().numpy() & np.isnan(theirs)
    return scored.score[~both], np.array(theirs)[~both]


class Times(nn.Module):
    """Logits that many times as large."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, logits: Tensor) -> Tensor:
        return logits * self.factor


def captum_infidelity(explained: Explained) -> Pair:
    from captum.metrics import infidelity

    metric = find("metrics")["infidelity"](protocol="yeh2019", side=0.3, samples=20)
    drawn = replace(explained, rng=explained.rng.of(metric.label))
    squares = iter(list(metric._squares(drawn)))

    def without(images: Tensor) -> tuple[Tensor, Tensor]:
        square = next(squares)[:, None]
        return images * square, images * ~square

    slopes = explained.attributions / explained.images
    theirs = infidelity(
        explained.network.module,
        without,
        explained.images,
        slopes,
        target=explained.targets,
        n_perturb_samples=20,
        max_examples_per_batch=IMAGES,
    )
    return ours("infidelity", explained, protocol="yeh2019", side=0.3, samples=20), theirs


def captum_sensitivity(explained: Explained) -> Pair:
    from captum.metrics import sensitivity_max

    metric = find("metrics")["max_sensitivity"]()
    steps = steps_around(replace(explained, rng=explained.rng.of(metric.label)), metric.radius, metric.samples)
    # Tuples of one, because it takes the rows of a tensor for inputs of their own.
    theirs = sensitivity_max(
        lambda images: (explained.attribute_again(images[0]),),
        (explained.images,),
        perturb_func=lambda images, radius: (images + next(steps),),
        n_perturb_samples=metric.samples,
        max_examples_per_batch=IMAGES,
    )
    return ours("max_sensitivity", explained), theirs


def grey(explained: Explained) -> tuple[Tensor, Tensor]:
    """Heatmaps and grey images as our fidelity metrics see them."""
    from bench.scoring.image_pair import pictures

    return pictures(explained)


def skimage_ssim(explained: Explained) -> Pair:
    from skimage.metrics import structural_similarity

    maps, images = (own.double().numpy() for own in grey(explained))
    options = {"data_range": 1, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    # The mean over whole windows, which scikit-image crops to as well.
    theirs = [structural_similarity(*pair, win_size=11, **options) for pair in zip(maps, images, strict=True)]
    return ours("image_ssim", explained), np.array(theirs)


def skimage_psnr(explained: Explained) -> Pair:
    from skimage.metrics import peak_signal_noise_ratio

    maps, images = (own.double().numpy() for own in grey(explained))
    theirs = [peak_signal_noise_ratio(*pair, data_range=1) for pair in zip(maps, images, strict=True)]
    return ours("image_psnr", explained), np.array(theirs)


def of_torchmetrics(run: Callable[[Explained, object], Pair]) -> Callable[[Explained], Pair]:
    """A comparison with torchmetrics, imported when it is run."""

    def imported(explained: Explained) -> Pair:
        import torchmetrics.functional

        return run(explained, torchmetrics.functional)

    return imported


def each(function: Callable[..., Tensor], *maps: Tensor) -> Tensor:
    """A function of flat maps for each image."""
    return torch.stack([function(*(own.flatten() for own in row)) for row in zip(*maps, strict=True)])


def torchmetrics_ssim(explained: Explained, library: object) -> Pair:
    first, second = (own.double()[:, None] for own in grey(explained))
    measured = library.image.structural_similarity_index_measure
    # It counts windows over reflected borders too; five pixels from the border they are whole.
    _, windows = measured(first, second, reduction="none", data_range=1.0, return_full_image=True)
    return ssim(first[:, 0], second[:, 0]), windows[:, :, 5:-5, 5:-5].mean((1, 2, 3))


def torchmetrics_pearson(explained: Explained, library: object) -> Pair:
    maps, truth = explained.heatmaps.double(), grey(explained)[1].double()
    return pearson(maps, truth), each(library.pearson_corrcoef, maps, truth)


def torchmetrics_spearman(explained: Explained, library: object) -> Pair:
    maps, truth = explained.heatmaps.double(), (grey(explained)[1] * 8).round().double()
    return spearman(maps, truth), each(library.spearman_corrcoef, maps, truth)


def torchmetrics_auc(explained: Explained, library: object) -> Pair:
    maps, truth = scaled(explained.heatmaps), explained.truth.long()
    return ours("auc_judd", explained), each(library.classification.binary_auroc, maps, truth)


def torchmetrics_precision(explained: Explained, library: object) -> Pair:
    maps, truth = scaled(explained.heatmaps), explained.truth.long()
    return ours("average_precision", explained), each(library.classification.binary_average_precision, maps, truth)


def torchmetrics_iou(explained: Explained, library: object) -> Pair:
    area = int(explained.truth[0].sum())
    cut = explained.heatmaps.flatten(1).topk(area).values[:, -1]
    found, truth = (explained.heatmaps >= cut[:, None, None]).long(), explained.truth.long()
    return ours("iou", explained), each(library.classification.binary_jaccard_index, found, truth)


def torchmetrics_kl(explained: Explained, library: object) -> Pair:
    truth = explained.heatmaps.flip(0)
    own = replace(explained, request=replace(explained.request, truth=truth))
    densities = (
        maps.double().flatten(1) / maps.double().flatten(1).sum(1, keepdim=True) for maps in (truth, own.heatmaps)
    )
    theirs = torch.stack([library.kl_divergence(t[None], h[None]) for t, h in zip(*densities, strict=True)])
    return ours("kl", own), theirs


def lxt_relevance(explained: Explained) -> Pair:
    """AttnLRP on a vision transformer of torchvision, as a share of the largest relevance."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = vit_b_16(image_size=64, num_classes=5).double().eval()
        torch.nn.init.normal_(module.heads.head.weight)  # torchvision's are zeros
    images = nn.functional.interpolate(explained.images[:2].double(), 64)
    request = replace(explained.request.select([0, 1]), images=images)
    found = find("attributions")["attn_lrp"]().explain(Network(module), request)
    theirs = relevance_by_lxt(module, images, request.targets)
    return found / theirs.abs().max(), theirs / theirs.abs().max()


def scaled(maps: Tensor) -> Tensor:
    """Maps in [0, 1] in double precision, the order of their pixels kept."""
    return maps.double() / maps.double().flatten(1).amax(1)[:, None, None]


COMPARISONS = (
    Comparison("deletion, protocol quantus-0.6", "quantus", quantus_pixel_flipping, 1e-4),
    Comparison("gini (it adds 1e-7 to each pixel)", "quantus", of_quantus("gini", "Sparseness"), 1e-3),
    Comparison("entropy, in nats", "quantus", of_quantus("entropy", "Complexity", mass=True), 1e-5),
    Comparison("pointing game", "quantus", of_quantus("pointing_game", "PointingGame")),
    Comparison("relevance mass", "quantus", of_quantus("relevance_mass", "RelevanceMassAccuracy")),
    Comparison("relevance rank", "quantus", of_quantus("relevance_rank", "RelevanceRankAccuracy")),
    Comparison("AUC against a mask", "quantus", of_quantus("auc_judd", "AUC")),
    Comparison("ROAD's imputation", "quantus", quantus_imputation, 1e-6),
    *(
        Comparison(f"{name}, protocol {protocol}", "torchcam", torchcam_curves(name, protocol))
        for protocol in ("torchcam-0.4", "torchcam-0.5")
        for name in ("deletion", "insertion")
    ),
    Comparison("deletion, protocol attribench-0.1", "attribench", attribench_curves(insertion=False)),
    Comparison("insertion, protocol attribench-0.1", "attribench", attribench_curves(insertion=True)),
    Comparison("SIC", "saliency", saliency_curves, 1e-4),
    Comparison("infidelity, protocol yeh2019", "captum", captum_infidelity, 1e-5),
    Comparison("max-sensitivity", "captum", captum_sensitivity, 1e-5),
    Comparison("SSIM, heatmap and image", "scikit-image", skimage_ssim),
    Comparison("PSNR, heatmap and image", "scikit-image", skimage_psnr),
    Comparison("SSIM", "torchmetrics", of_torchmetrics(torchmetrics_ssim)),
    Comparison("Pearson's correlation", "torchmetrics", of_torchmetrics(torchmetrics_pearson)),
    Comparison("Spearman's correlation, ties", "torchmetrics", of_torchmetrics(torchmetrics_spearman)),
    Comparison("AUC against a mask", "torchmetrics", of_torchmetrics(torchmetrics_auc)),
    Comparison("average precision", "torchmetrics", of_torchmetrics(torchmetrics_precision)),
    Comparison("IoU at the truth's area", "torchmetrics", of_torchmetrics(torchmetrics_iou)),
    Comparison("AttnLRP, relevances of a ViT-B/16", "lxt", lxt_relevance, 1e-4),
    Comparison("KL divergence", "torchmetrics", of_torchmetrics(torchmetrics_kl)),
    *parity_of_removed.COMPARISONS,
    *parity_of_perturbed.COMPARISONS,
)


def main() -> int:
    """Print the table; 1 where a difference is too large."""
    warnings.filterwarnings("ignore")
    columns = ("what", "library", "ours", "theirs", "largest difference", "tolerance", "")
    table, failed = Table(*columns, title="Parity", box=None), 0
    for comparison in COMPARISONS:
        own, theirs = (torch.as_tensor(values).double().flatten() for values in comparison.run(material()))
        apart = (own - theirs).abs().max().item() if own.shape == theirs.shape else float("nan")
        good = apart <= comparison.tolerance
        failed += not good
        table.add_row(
            comparison.what,
            f"{comparison.library} {version(comparison.library)}",
            f"{own.mean():.6f}",
            f"{theirs.mean():.6f}",
            f"{apart:.1e}",
            f"{comparison.tolerance:.0e}",
            "" if good else "TOO FAR",
        )
    Console(width=150).print(table)
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
