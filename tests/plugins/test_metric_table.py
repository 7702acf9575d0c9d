"""The table of others' metrics beside ours; `python -m tests.plugins.test_metric_table` writes it."""

import inspect
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.api.registry import find, plugin_class
from bench.checks.fixtures import small_network, small_request
from bench.methods.attributions.simple_gradient import SimpleGradient
from bench.scoring.measure import explained_by

# The libraries warn when they are imported.
pytestmark = pytest.mark.filterwarnings("ignore")
PAGE = Path(__file__).parents[2] / "docs" / "metrics_elsewhere.md"
_HEAD = """# Metrics of other libraries and papers

What each of them measures, by which metric it is measured here, and how far the numbers are the same. *same*: a test or
`nox -s parity` compares the two numbers; *alike*: the same question, and what differs; *no*: there is none, and why.
What is said of xplique, which is made for TensorFlow, was read in its code. Most metrics of Quantus can also be had as
they are, `quantus:NAME`. A test keeps this page.
"""
Row = tuple[str, str, str]
QUANTUS: dict[str, Row] = {
    "AUC": ("auc_judd", "alike", "ties count one half"),
    "AttributionLocalisation": ("relevance_mass", "alike", "positive mass over all of it, without the correction"),
    "AvgSensitivity": ("avg_sensitivity", "same", "for the same steps"),
    "Completeness": ("completeness_gap", "alike", "how far from it, not whether"),
    "Complexity": ("entropy", "same", "in nats, times the logarithm of the pixels"),
    "Consistency": ("consistency", "alike", "with blends of reference images instead of the other images of the batch"),
    "Continuity": ("", "no", "it moves the image across a grid; use `quantus:Continuity`"),
    "EffectiveComplexity": (
        "effective_complexity",
        "alike",
        "the pixels that hold 90% of the map, not those above a cut",
    ),
    "EfficientMPRT": ("efficient_mprt", "same", "for the same weights and 100 bins"),
    "FaithfulnessCorrelation": ("faithfulness_correlation", "same", "of grey images, for the same sets"),
    "FaithfulnessEstimate": ("faithfulness_estimate", "same", "of grey images"),
    "Focus": ("grid_pointing_game", "alike", "the share of one cell of a mosaic instead of two of four"),
    "IROF": ("irof", "alike", "about 300 superpixels, the area by trapezoids"),
    "Infidelity": ("infidelity", "alike", 'squares at random places, scaled unless `protocol = "yeh2019"`'),
    "InputInvariance": ("input_invariance", "alike", "how alike the maps are, and the network takes the shift off"),
    "LocalLipschitzEstimate": ("local_lipschitz", "same", "times the length of the map, for the same steps"),
    "MPRT": (
        "weight_randomisation",
        "same",
        "for the same weights at every layer, the network itself left out of the mean",
    ),
    "MaxSensitivity": ("max_sensitivity", "same", "for the same steps"),
    "Monotonicity": ("monotonicity", "alike", "the share of the steps instead of whether all of them rise"),
    "MonotonicityCorrelation": (
        "monotonicity_correlation",
        "same",
        "of grey images and maps without negative values, for the same fill",
    ),
    "NonSensitivity": ("", "no", "it asks one pixel after the other; use `quantus:NonSensitivity`"),
    "PixelFlipping": ("deletion", "same", 'under `protocol = "quantus-0.6"`'),
    "PointingGame": ("pointing_game", "same", "where one pixel is highest"),
    "ROAD": ("road", "alike", "the gap between both orders instead of accuracy"),
    "RandomLogit": ("random_logit", "same", "for the same other classes and similarity"),
    "RegionPerturbation": (
        "region_perturbation",
        "same",
        "the mean of its falls and 0, of grey images, for the same noise",
    ),
    "RelativeInputStability": (
        "relative_stability",
        "same",
        '`of = "input"`, for the same steps, where none changes the prediction',
    ),
    "RelativeOutputStability": ("relative_stability", "same", '`of = "output"`, likewise'),
    "RelativeRepresentationStability": (
        "relative_stability",
        "same",
        '`of = "representation"`, of one layer, likewise',
    ),
    "RelevanceMassAccuracy": ("relevance_mass", "same", ""),
    "RelevanceRankAccuracy": ("relevance_rank", "same", ""),
    "Selectivity": ("selectivity", "same", "the area under its curve, of grey images"),
    "SensitivityN": ("sensitivity_n", "alike", "random sets at several sizes, averaged"),
    "SmoothMPRT": ("smooth_mprt", "same", "as MPRT, for the same noise; its last copy has none"),
    "Sparseness": ("gini", "same", "without its 1e-7 for each pixel"),
    "Sufficiency": ("sufficiency", "alike", "with the highest pixels on reference images, not others of the batch"),
    "TopKIntersection": ("top_k_intersection", "same", "for k up to a quarter of the image"),
}
OTHERS: dict[str, dict[str, Row]] = {
    "Captum": {
        "infidelity": ("infidelity", "same", 'under `protocol = "yeh2019"`, for the same squares'),
        "sensitivity_max": ("max_sensitivity", "same", "for the same steps"),
    },
    "pytorch-grad-cam": {
        "DropInConfidence": ("average_drop", "same", "times the probability of the image, which it does not divide by"),
        "IncreaseInConfidence": ("average_increase", "same", ""),
        "ROADCombined": ("road", "same", "twice its number, at its percentiles, without noise"),
        "ROADMostRelevantFirst, ROADLeastRelevantFirst": ("road", "alike", "both orders in one number"),
        "ARCC": ("arcc", "same", "without noise"),
    },
    "xplique": {
        "Deletion, Insertion": ("deletion", "alike", "and `insertion`: ten steps, outputs as the model gives them"),
        "MuFidelity": ("mu_fidelity", "alike", "each cell by chance instead of a share of them; one draw for a batch"),
        "AverageDropMetric, AverageIncreaseMetric": ("average_drop", "alike", "and `average_increase`: of |map|"),
        "AverageGainMetric": ("average_gain", "alike", "of the absolute value of the map"),
        "AverageStability": ("avg_sensitivity", "alike", "squared length of the change, steps above zero only"),
        "Complexity": ("entropy", "alike", "in nats, times the logarithm of the pixels; channels averaged"),
        "Sparseness": ("gini", "alike", "channels averaged"),
        "RandomLogitMetric": ("random_logit", "alike", 'under `similarity = "ssim"`, but for its scale'),
        "ModelRandomizationMetric": ("weight_randomisation", "alike", "one depth, uniform weights"),
        "MeGe, ReCo": ("training_stability", "alike", "the same question, of networks trained on halves"),
    },
    "torch-cam": {
        "ClassificationMetric": (
            "average_drop",
            "same",
            "and `average_increase`: their means; of maps as large as the image",
        ),
        "DeletionInsertionMetric (since 0.5)": (
            "deletion",
            "same",
            'and `insertion`, under `protocol = "torchcam-0.5"`; handed a softmax, under `protocol = "torchcam-0.4"`',
        ),
    },
    "Papers": {
        "SRG (arXiv:2401.06654)": ("srg", "alike", "pixels instead of superpixels"),
        "R-OMS (arXiv:2401.06654)": ("r_oms", "alike", "cells instead of superpixels"),
        "SaCo (arXiv:2404.01415)": ("saco", "same", "as the formula of the paper"),
        "Single deletion, IDSDS (arXiv:2407.11910)": ("single_deletion", "same", "in-domain by the recipe `masked`"),
        "F-Fidelity (arXiv:2410.02970)": ("f_fidelity", "alike", "cells and probabilities, FFid+ less FFid- in one"),
        "ARCC (arXiv:2605.14641)": ("arcc", "same", "as the formula of the paper"),
        "Smooth MPRT (arXiv:2401.06465)": ("smooth_mprt", "same", "the weights drawn with their mean and spread"),
        "Efficient MPRT (arXiv:2401.06465)": ("efficient_mprt", "same", "the weights drawn with their mean and spread"),
        "MetaQuantus (arXiv:2302.07265)": (
            "",
            "no",
            "no metric of maps but one of metrics: `bench.checks.reliability`",
        ),
        "Relative stabilities (arXiv:2203.06877)": ("relative_stability", "same", "noise uniform instead of normal"),
        "Sufficiency, consistency (arXiv:2202.00734)": (
            "sufficiency",
            "alike",
            "and `consistency`: of images made from reference images, not of the data as they are",
        ),
        "Average Drop, Increase (arXiv:1710.11063)": ("average_drop", "same", "and `average_increase`"),
        "Average Gain (arXiv:2301.07002)": ("average_gain", "same", "as the formula of the paper"),
        "ADCC (arXiv:2104.10252)": ("adcc", "same", "as the formula of the paper"),
        "mu-Fidelity (arXiv:2005.00631)": ("mu_fidelity", "alike", "by ranks, over cells, as in arXiv:2111.04138"),
        "GridPG (arXiv:2205.10435)": (
            "grid_pointing_game",
            "same",
            "on the data set `grid`; at a layer with the `layer` of a CAM (`hires_cam` is input x gradient)",
        ),
        "DiFull (arXiv:2205.10435)": ("difull", "same", "at the image"),
        "DiPart (arXiv:2205.10435)": (
            "",
            "no",
            "cells see each other at their edges: DiFull asks the sharper question",
        ),
        "EMD (arXiv:1604.03605)": ("emd", "alike", "on 8 x 8 cells"),
        "FunnyBirds: accuracy, preservation, deletion, distractability (arXiv:2308.06248)": (
            "part_completeness",
            "alike",
            "on `planted_parts`, and on the data set `funny_birds`, at one threshold",
        ),
        "FunnyBirds: single deletion": (
            "part_correctness",
            "same",
            "on `funny_birds`, from -1 to 1, and of parts that are not widened",
        ),
        "FunnyBirds: target sensitivity": ("part_contrastivity", "alike", "the two classes that differ most"),
        "FunnyBirds: background independence": ("", "no", "parts of the background stay; only those of the bird go"),
        "ClickMe: human alignment (arXiv:2211.04533)": (
            "rank_correlation",
            "same",
            "with `ceiling = 0.65753`, on the data set `click_me`",
        ),
        "ClickMe: Dice": ("dice", "same", "where no pixels tie at the cut"),
        "XAI-Units, AttributionLab": ("exact_map", "alike", "own networks: the suite `exact`"),
    },
}
TABLES = {"Quantus": QUANTUS, **OTHERS}


def written() -> str:
    """The page."""
    parts = [_HEAD]
    for library, rows in TABLES.items():
        parts.append(f"\n## {library}\n\n| there | here | |\n|---|---|---|\n")
        for name, (ours, how, said) in rows.items():
            parts.append(f"| {name} | {f'`{ours}`' if ours else ''} | {': '.join(filter(None, [how, said]))} |\n")
    named = {ours for rows in TABLES.values() for ours, _, _ in rows.values()}
    alone = [f"`{name}`" for name in find("metrics") if name not in named]
    parts.append("\n## Only here\n\n" + "\n".join(f"- {name}" for name in alone) + "\n")
    return "".join(parts)


def test_the_page_is_the_table() -> None:
    assert PAGE.read_text(encoding="utf-8") == written()


def test_every_metric_of_quantus_is_there_and_every_metric_of_ours_that_is_named_exists() -> None:
    constants = pytest.importorskip("quantus.helpers.constants")
    assert set(QUANTUS) == {own.__name__ for group in constants.AVAILABLE_METRICS.values() for own in group.values()}
    for rows in TABLES.values():
        for ours, how, said in rows.values():
            assert how in {"same", "alike", "no"}
            assert (not ours and said) if how == "no" else ours in find("metrics"), (ours, how)


def test_every_metric_of_pytorch_grad_cam_is_there() -> None:
    own = set()
    for module in ("cam_mult_image", "road", "arcc"):
        library = pytest.importorskip(f"pytorch_grad_cam.metrics.{module}")
        own |= {
            name for name, made in inspect.getmembers(library, inspect.isclass) if made.__module__ == library.__name__
        }
    named = {name for row in OTHERS["pytorch-grad-cam"] for name in row.split(", ")}
    parts = {"CamMultImageConfidenceChange", "NoisyLinearImputer", "Complexity", "Coherency"}
    averages = {"ROADMostRelevantFirstAverage", "ROADLeastRelevantFirstAverage"}
    assert own - parts - averages == named


def test_what_is_said_to_be_the_same_is_the_same() -> None:
    """Those that no other test compares: pytorch-grad-cam's drop and increase, Quantus' top-k."""
    library = pytest.importorskip("pytorch_grad_cam.metrics.cam_mult_image")
    request, network = small_request(8), small_network()
    network.module[-1].weight.data *= 8
    clean = network.logits(request.images).detach()
    explained = explained_by(SimpleGradient(), network, request, clean)
    maps = explained.heatmaps.numpy()
    low, high = maps.min((1, 2), keepdims=True), maps.max((1, 2), keepdims=True)
    targets = [lambda output, target=target: output.softmax(-1)[target] for target in request.targets.tolist()]
    for name, ours in (("DropInConfidence", "average_drop"), ("IncreaseInConfidence", "average_increase")):
        theirs = getattr(library, name)()(request.images, (maps - low) / (high - low), targets, network.module)
        found = plugin_class("metrics", ours)().measure(explained).score
        if ours == "average_drop":
            found = found * clean.softmax(1).gather(1, request.targets[:, None])[:, 0]
        np.testing.assert_allclose(found.numpy(), theirs, atol=1e-6)
        assert theirs.any()
    pytest.importorskip("quantus")
    single = explained_by(SimpleGradient(), _single(), request.with_images(request.images.float()), clean.float())
    names = ("quantus:TopKIntersection", "top_k_intersection")
    pair = [plugin_class("metrics", name)(k=30).measure(single).score for name in names]
    torch.testing.assert_close(*pair, rtol=0, atol=1e-6)


def _single():
    network = small_network()
    network.module.float()
    return network


if __name__ == "__main__":
    PAGE.write_text(written(), encoding="utf-8")
