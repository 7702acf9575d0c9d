"""Order statistics of maps, each value an expectation over a random order of ties where the order matters."""

import torch
from torch import Tensor


def average_ranks(flat: Tensor) -> Tensor:
    """Ranks (batch, size), float64, 0 where lowest; tied values share the mean of their ranks.

    >>> average_ranks(torch.tensor([[0.5, 0.1, 0.5]])).tolist()
    [[1.5, 0.0, 1.5]]
    """
    order, run = _tied_runs(flat)
    positions = torch.arange(flat.shape[1], dtype=torch.float64, device=flat.device).expand(flat.shape)
    shared = _per_run(positions, run) / _per_run(torch.ones_like(positions), run)
    return torch.empty_like(shared).scatter_(1, order, shared.gather(1, run))


def share_in_top(maps: Tensor, counts: Tensor) -> Tensor:
    """The probability, float64, that each pixel of maps (batch, height, width) is among the `counts` (batch,) highest.

    Pixels tied at the edge share what is left of the count.

    >>> share_in_top(torch.tensor([[[3.0, 2.0, 2.0, 1.0]]]), torch.tensor([2])).tolist()
    [[[1.0, 0.5, 0.5, 0.0]]]
    """
    flat = -maps.flatten(1)
    order, run = _tied_runs(flat)
    tied = _per_run(torch.ones(flat.shape, dtype=torch.float64, device=flat.device), run)
    above = tied.cumsum(1) - tied
    share = ((counts.double()[:, None] - above) / tied.clamp_min(1)).clamp(0, 1)
    return torch.empty_like(share).scatter_(1, order, share.gather(1, run)).reshape(maps.shape)


def rank_auc(maps: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    """The probability (batch,) that a positive pixel is higher than a negative one, ties counting one half.

    `positive` and `negative` (batch, height, width) weigh the pixels; NaN where one of them is all zero.

    >>> positive = torch.tensor([[[1.0, 1.0, 0.0, 0.0]]])
    >>> rank_auc(torch.tensor([[[4.0, 2.0, 3.0, 1.0]]]), positive, 1 - positive).tolist()
    [0.75]
    """
    order, run = _tied_runs(maps.flatten(1))
    hits = _per_run(positive.double().flatten(1).gather(1, order), run)
    misses = _per_run(negative.double().flatten(1).gather(1, order), run)
    below = misses.cumsum(1) - misses
    return (hits * (below + misses / 2)).sum(1) / (hits.sum(1) * misses.sum(1))


def expected_precision(maps: Tensor, hit: Tensor) -> Tensor:
    """Average precision (batch,), float64, expected over a random order of ties; `hit` bool marks the positives.

    McSherry & Najork, 2008: the i-th place of a run of n ties with r positives, after R positives in total, holds a
    positive with probability r / n, and then R + 1 + (i - 1) (r - 1) / (n - 1) positives have been seen.

    >>> round(expected_precision(torch.tensor([[[2.0, 1.0, 1.0]]]), torch.tensor([[[False, True, False]]])).item(), 6)
    0.416667
    """
    order, run = _tied_runs(-maps.flatten(1))
    own = hit.double().flatten(1).gather(1, order)
    ties, positives = _per_run(torch.ones_like(own), run), _per_run(own, run)
    size, inside = ties.gather(1, run), positives.gather(1, run)
    place = torch.arange(own.shape[1], dtype=torch.float64, device=own.device)
    within = place - (ties.cumsum(1) - ties).gather(1, run)
    seen = (positives.cumsum(1) - positives).gather(1, run) + 1 + within * (inside - 1) / (size - 1).clamp_min(1)
    return (inside / size * seen / (place + 1)).sum(1) / own.sum(1)


def _tied_runs(flat: Tensor) -> tuple[Tensor, Tensor]:
    """The ascending order of each row, and at each place of it the number of its run of equal values."""
    ordered, order = flat.sort(dim=1, stable=True)
    begins = torch.zeros(flat.shape, dtype=torch.int64, device=flat.device)
    begins[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    return order, begins.cumsum(1)


def _per_run(ordered: Tensor, run: Tensor) -> Tensor:
    return torch.zeros_like(ordered, memory_format=torch.contiguous_format).scatter_add_(1, run, ordered)
