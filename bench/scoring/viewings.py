"""Fixations as metrics need them: counts per pixel, and each viewing by itself."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from bench.api import Explained
from bench.functional.truth_maps import counts_at, gaze_map


def fixation_counts(explained: Explained) -> Tensor:
    """How often each pixel of each image was fixated, int64, (batch, height, width)."""
    if explained.fixations is None:
        return torch.zeros(explained.heatmaps.shape, dtype=torch.int64, device=explained.heatmaps.device)
    return torch.stack([counts_at(own, explained.heatmaps[0]) for own in explained.fixations])


Score = Callable[[Explained], Tensor]


def each_viewing(explained: Explained) -> Iterator[tuple[Explained, Tensor]]:
    """For each viewing the batch with its fixations alone, and gaze maps (batch, height, width) of the others.

    The truth is the gaze map of the viewing. An image that nobody looked at in it has neither fixations nor truth.
    """
    points = explained.fixations or ()
    height, width = explained.heatmaps.shape[1:]
    for number in sorted({int(viewing) for own in points for viewing in own[:, 3].unique()}):
        inside = [own[:, 3] == number for own in points]
        alone = tuple(own[mask] for own, mask in zip(points, inside, strict=True))
        rest = [own[~mask] for own, mask in zip(points, inside, strict=True)]
        truth = torch.stack([gaze_map(own.cpu(), height, width) for own in alone]).to(explained.heatmaps.device)
        others = torch.stack([gaze_map(own.cpu(), height, width) for own in rest]).to(explained.heatmaps.device)
        yield replace(explained, fixations=alone, request=replace(explained.request, truth=truth)), others


def mean_over_viewings(explained: Explained, score: Score) -> Tensor:
    """Scores (batch,) against each viewing by itself, their mean over those in which the image was looked at."""
    return _mean([_looked_at(own, score) for own, _ in each_viewing(explained)])


def ceiling(explained: Explained, score: Score) -> Tensor:
    """What the gaze maps of the other viewings score against each viewing (batch,), the mean over viewings.

    NaN for an image that was looked at in one viewing only.
    """
    each = []
    for own, others in each_viewing(explained):
        nobody = others.flatten(1).amax(1) <= 0
        each.append(_looked_at(replace(own, heatmaps=others), score).masked_fill(nobody, torch.nan))
    return _mean(each)


def _looked_at(explained: Explained, score: Score) -> Tensor:
    looked = torch.tensor([len(own) > 0 for own in explained.fixations or ()], device=explained.heatmaps.device)
    return score(explained).masked_fill(~looked, torch.nan)


def _mean(each: list[Tensor]) -> Tensor:
    return torch.stack(each).nanmean(0)
