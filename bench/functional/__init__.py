"""Tensors in, tensors out: the mathematics of heatmaps, usable without the rest.

Examples in docstrings begin with `import torch` and `from bench.functional import *`.
"""

from bench.functional.adversarial_steps import (
    Objective,
    away_from_gaze,
    fast_elastic,
    fast_group,
    fast_l1,
    gradient_of,
    iterative_elastic,
    iterative_group,
    iterative_l1,
    unit,
)
from bench.functional.concentration import density, fractions, gini
from bench.functional.correlation import deviations, pearson, spearman
from bench.functional.curve_areas import Area, area_of
from bench.functional.gradient_penalties import (
    MapRegulariser,
    Regulariser,
    datagrad,
    gradient_with_graph,
    map_penalty,
    spectreg,
    target_gradient,
    tv_abs,
)
from bench.functional.heatmaps import Reduction, Ties, for_display, min_max, pixels_by_rank, ranks, reduce_channels
from bench.functional.image_similarity import (
    gradient_difference,
    image_ssim,
    image_ssim_unfiltered,
    inverse_psnr,
    inverse_psnr_hvs,
    normalised,
    sobel_difference,
    squared_correlation,
    total_variation,
    varies,
)
from bench.functional.imputation import linear_imputation
from bench.functional.map_similarity import Similarity, relative_distance, similarity, top_intersection, top_set
from bench.functional.noise import normal_noise, uniform_noise
from bench.functional.outputs import (
    log_probabilities_from,
    logits_from,
    predictions,
    probabilities_from,
    rightness,
    target_outputs,
)
from bench.functional.patches import patch_norms, patches_to_pixels
from bench.functional.ranking import average_ranks, expected_precision, rank_auc, share_in_top
from bench.functional.structural_similarity import ssim, ssim_of_moments
from bench.functional.truth_maps import box_map, counts_at, gaze_map, object_of

__all__ = [
    "Area",
    "MapRegulariser",
    "Objective",
    "Reduction",
    "Regulariser",
    "Similarity",
    "Ties",
    "area_of",
    "average_ranks",
    "away_from_gaze",
    "box_map",
    "counts_at",
    "datagrad",
    "density",
    "deviations",
    "expected_precision",
    "fast_elastic",
    "fast_group",
    "fast_l1",
    "for_display",
    "fractions",
    "gaze_map",
    "gini",
    "gradient_difference",
    "gradient_of",
    "gradient_with_graph",
    "image_ssim",
    "image_ssim_unfiltered",
    "inverse_psnr",
    "inverse_psnr_hvs",
    "iterative_elastic",
    "iterative_group",
    "iterative_l1",
    "linear_imputation",
    "log_probabilities_from",
    "logits_from",
    "map_penalty",
    "min_max",
    "normal_noise",
    "normalised",
    "object_of",
    "patch_norms",
    "patches_to_pixels",
    "pearson",
    "pixels_by_rank",
    "predictions",
    "probabilities_from",
    "rank_auc",
    "ranks",
    "reduce_channels",
    "relative_distance",
    "rightness",
    "share_in_top",
    "similarity",
    "sobel_difference",
    "spearman",
    "spectreg",
    "squared_correlation",
    "ssim",
    "ssim_of_moments",
    "target_gradient",
    "target_outputs",
    "top_intersection",
    "top_set",
    "total_variation",
    "tv_abs",
    "uniform_noise",
    "unit",
    "varies",
]
