"""Names in sentences."""


def listed(names: list[str], most: int = 6) -> str:
    """Names in a sentence; the last ones only counted where there are many."""
    shown = names if len(names) <= most else [*names[: most - 1], f"{len(names) - most + 1} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}" if shown else "none"
