"""Names that people read: of plug-ins and entries, and shortened so that what tells them apart stays."""

import re
from collections.abc import Sequence

_WORDS = {
    "ig": "IG",
    "gnl": "GNL",
    "auc": "AUC",
    "cam": "CAM",
    "rise": "RISE",
    "lrp": "LRP",
    "xrai": "XRAI",
    "idgi": "IDGI",
    "nss": "NSS",
    "cc": "CC",
    "kl": "KL",
    "iou": "IoU",
    "ssim": "SSIM",
    "psnr": "PSNR",
    "psnr_hvs": "PSNR-HVS",
    "roar": "ROAR",
    "road": "ROAD",
    "morf": "MoRF",
    "lerf": "LeRF",
    "irof": "IROF",
    "aic": "AIC",
    "sic": "SIC",
    "shap": "SHAP",
    "roi": "ROI",
    "torchcam": "torch-cam",
    "attribench": "attribench",
    "quantus": "Quantus",
}
_KNOWN = {
    "integrated_gradients": "IG",
    "gnl_integrated_gradients": "GNL-IG",
    "grad_cam": "Grad-CAM",
    "grad_cam_plus_plus": "Grad-CAM++",
    "layer_cam": "Layer-CAM",
    "score_cam": "Score-CAM",
    "input_x_gradient": "Input \N{MULTIPLICATION SIGN} gradient",
    "simple_gradient": "Gradient",
    "smooth_grad": "SmoothGrad",
    "square_grad": "SquareGrad",
    "var_grad": "VarGrad",
    "deep_lift": "DeepLift",
    "guided_ig": "Guided IG",
    "blur_ig": "Blur IG",
    "auc_judd": "AUC (Judd)",
    "oracle": "Truth",
    "random_map": "Random",
    "diff_roar": "DiffROAR",
}


def display(name: str, label: str | None = None) -> str:
    """The display name of a plug-in by its code name, with the settings that its label adds in brackets."""
    own = _KNOWN.get(name) or _sentence(name)
    settings = label.removeprefix(name)[1:-1] if label and label != name else ""
    return f"{own} ({_settings(settings)})" if settings else own


def shortened(labels: Sequence[str], most: int) -> list[str]:
    """Labels of at most `most` characters where that can be; what is different stays different.

    A label that is too long loses its settings where no other is called so, else its middle, and its ends are kept as
    long as they must be for no two to read alike; labels that were alike stay so.
    """
    cut = {label: label for label in labels}
    for label in cut:
        if len(label) > most:
            base = label.partition(" (")[0]
            alone = [base] if sum(other.partition(" (")[0] == base for other in cut) == 1 and len(base) <= most else []
            ways = (f"{label[:head]}…{label[len(label) - (most - 1 - head) :]}" for head in _heads(most))
            taken = {short for other, short in cut.items() if other != label}
            cut[label] = next((way for way in (*alone, *ways) if way not in taken), label)
    return [cut[label] for label in labels]


def _heads(most: int) -> list[int]:
    """How many characters of the beginning to keep, the most even cut first."""
    return sorted(range(1, most - 1), key=lambda head: abs(head - (most - 1) // 2))


def _sentence(name: str) -> str:
    """A code name as words: underscores as blanks, what is an acronym in capitals."""
    words = [_WORDS.get(word, word) for word in name.replace("_", " ").split(" ")]
    said = " ".join(words)
    return said[:1].upper() + said[1:]


def _settings(settings: str) -> str:
    """Settings of a label for people: `protocol=torchcam` is torch-cam, `reduction=sum` sum."""
    said = re.sub(r"\b(?:protocol|reduction|regulariser|mode)=", "", settings)
    return re.sub(r"[\w]+", lambda word: _WORDS.get(word[0], word[0]), said).replace("_", " ").replace("=", " ")
