"""The linear imputation of ROAD written down as one sparse system, as the paper has it."""

import numpy as np
from scipy.sparse import coo_matrix, csc_matrix
from scipy.sparse.linalg import spsolve

NEIGHBOURS = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dy, dx) != (0, 0)]


def system(image: np.ndarray, missing: np.ndarray) -> tuple[csc_matrix, np.ndarray]:
    """Matrix (pixels, pixels) and right side (pixels, channel) for the pixels of an image that are missing."""
    places, shape = np.argwhere(missing), np.array(missing.shape)
    number = np.full(missing.shape, -1)
    number[missing] = rows = np.arange(len(places))
    weights, entries = np.zeros(len(places)), []
    right = np.zeros((len(places), len(image)))
    for dy, dx in NEIGHBOURS:
        weight = 1 / 6 if 0 in (dy, dx) else 1 / 12
        moved = places + np.array([dy, dx])
        inside = ((moved >= 0) & (moved < shape)).all(1)
        weights[inside] += weight
        y, x = moved[inside].T
        unknown = missing[y, x]
        right[rows[inside][~unknown]] += weight * image[:, y[~unknown], x[~unknown]].T
        entries.append((np.full(unknown.sum(), -weight), rows[inside][unknown], number[y[unknown], x[unknown]]))
    entries.append((weights, rows, rows))
    values, down, across = (np.concatenate(parts) for parts in zip(*entries, strict=True))
    return coo_matrix((values, (down, across)), (len(places), len(places))).tocsc(), right


def solved(image: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """The image with its missing pixels imputed."""
    matrix, right = system(image, missing)
    filled = image.copy()
    filled[:, missing] = spsolve(matrix, right).reshape(len(right), -1).T
    return filled
