"""Stored sample heatmaps as pictures inside a page."""

import base64
import io

import matplotlib as mpl
import numpy as np
import pandas as pd
from PIL import Image

from bench.leaderboard.board import ENTRY, Board
from bench.leaderboard.means import over_seeds

MOST_BYTES = 12_000_000
_MAP = "inferno"
_COLOURS = (mpl.colormaps[_MAP](np.arange(256))[:, :3] * 255).round().astype(np.uint8).tobytes()


def gallery(heatmaps: pd.DataFrame, board: Board) -> dict[str, object]:
    """The sample images with truth and heatmaps as data addresses, and their scores.

    `images`: of each its id, `picture` and `truth` (or None), `heatmaps` by entry number (or None), and `scores`
    (entry, metric); `left_out`: how many images did not fit into the page; `of`: how many the board has.
    """
    position = {image: number for number, image in enumerate(board.images)}
    images: list[dict[str, object]] = []
    size = 0
    names = [name for name in heatmaps.image.unique() if name in position]
    quality = over_seeds(board.scores)
    for name in names:
        own = heatmaps[heatmaps.image.eq(name)].drop_duplicates([*ENTRY, "kind"])
        pictures = {kind: _first(own, kind) for kind in ("image", "truth")}
        drawn = own[own.kind.eq("heatmap")].set_index(ENTRY).png
        maps = [_address(_coloured(drawn[key])) if key in drawn.index else None for key in _keys(board)]
        size += sum(len(one) for one in (*maps, *pictures.values()) if one)
        if size > MOST_BYTES and images:
            break
        scores = quality[:, :, position[name]]
        images.append({"id": str(name), **pictures, "heatmaps": maps, "scores": _rounded(scores)})
    return {"images": images, "left_out": len(names) - len(images), "of": len(board.images)}


def _keys(board: Board) -> list[tuple[str, str, str]]:
    """What each row's pictures are found by; over several networks those of the first that has the method."""
    entries = board.entries if board.whole is None else board.whole.entries.drop_duplicates("attribution")
    return [tuple(row) for row in entries[ENTRY].itertuples(index=False)]


def _first(own: pd.DataFrame, kind: str) -> str | None:
    rows = own.png[own.kind.eq(kind)]
    return _address(rows.iloc[0]) if len(rows) else None


def _coloured(png: bytes) -> bytes:
    """A grey picture in colours that rise evenly in brightness."""
    picture = Image.open(io.BytesIO(png)).convert("L")
    picture.putpalette(_COLOURS)
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()


def _address(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _rounded(scores: np.ndarray) -> list[list[float | None]]:
    return [[float(f"{value:.4g}") if np.isfinite(value) else None for value in row] for row in scores]
