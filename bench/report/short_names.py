"""Names shortened so that what tells them apart stays."""

from collections.abc import Sequence


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


def parted(name: str) -> tuple[str, str]:
    """A display name and the settings that stand behind it in brackets, if any: "Occlusion" and "window 16"."""
    base, bracket, settings = name.partition(" (")
    return base, settings.removesuffix(")") if bracket else ""
