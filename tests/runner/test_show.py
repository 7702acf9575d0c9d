import io

import numpy as np
import torch
from PIL import Image

from bench.runner.show import COLUMNS, _picture


def test_every_panel_is_drawn_in_rows_with_signs_and_reasons() -> None:
    ramp = torch.linspace(0, 1, 64).expand(64, 64)
    panels = [
        ("image", torch.zeros(3, 64, 64)),
        *[(f"method_{number}(nodes=25, quadrature=trapezoid)", ramp) for number in range(COLUMNS - 1)],
        ("signed", ramp * 2 - 1.5),
        ("no", "unsupported: network 'tiny' has no attention (scaled_dot_product_attention)"),
    ]
    picture = np.asarray(Image.open(io.BytesIO(_picture(panels, "png"))).convert("RGB")).astype(int)
    height, width = picture.shape[0] // 2, picture.shape[1] // COLUMNS
    drawn = [
        [(picture[row * height :, column * width :][:height, :width] < 250).any() for column in range(COLUMNS)]
        for row in range(2)
    ]
    assert drawn == [[True] * COLUMNS, [True, True] + [False] * (COLUMNS - 2)]
    signed = picture[height : 2 * height, :width].reshape(-1, 3)
    assert (signed[:, 2] - signed[:, 0]).max() > 100, "what is below zero is blue"
    assert (signed[:, 0] - signed[:, 2]).max() > 50, "what is above zero is red"
