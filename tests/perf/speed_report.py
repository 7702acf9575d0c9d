"""What `nox -s perf` publishes of its timings: a table in Markdown and a figure."""

from collections.abc import Iterator

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from bench.report.figures.style import PALETTE, TEXT, figures, svg
from tests.perf.contestants import RESULTS

BOUND = "bare network"
PEERS = ("per-step loop", "torch-cam", "Quantus")
REFERENCE = "per-step loop"
# Ten methods, deletion and insertion, 32 images of 224 pixels: the job for which the total time is told.
# Each image is seen once blurred, and the blank image once; the untouched images are known before.
JOB = 10 * 2 * 32 * 223 + 32 + 1


def publish() -> None:
    """Write performance.md and performance.svg from the CSV files beside them."""
    timings = pd.read_csv(RESULTS / "timings.csv", keep_default_na=False)
    timings["each"] = 1e3 * timings.seconds / timings.passes
    file = RESULTS / "scores.csv"
    scores = pd.read_csv(file) if file.exists() else None
    text = "\n\n".join(_sections(timings, scores))
    (RESULTS / "performance.md").write_text(text + "\n", encoding="utf-8")
    with figures():
        (RESULTS / "performance.svg").write_text(svg(_figure(timings)), encoding="utf-8")


def against_bound(timings: pd.DataFrame) -> pd.DataFrame:
    """For every round and contestant beside a bound: seconds of the bound over its own, per pass."""
    bounds = timings[timings.contestant.eq(BOUND)].set_index(["group", "case", "round"]).each
    others = timings[timings.contestant.ne(BOUND)].copy()
    keys = pd.MultiIndex.from_frame(others[["group", "case", "round"]])
    others["bound"] = bounds.reindex(keys).to_numpy()
    others["share"] = others.bound / others.each
    return others


def _sections(timings: pd.DataFrame, scores: pd.DataFrame | None) -> Iterator[str]:
    yield "# Speed"
    yield (
        "Written by `nox -s perf` from `timings.csv` beside it. Contestants take turns in one process; every ratio is "
        "the median over rounds of a ratio within a round. A pass is one image forward (or forward and backward) "
        "through the network. The bound is the bare network at the batch size and memory layout in which it is fastest."
    )
    machines = timings[["processor", "cores", "threads", "clock", "torch"]].drop_duplicates()
    yield _table(machines)
    if not timings.case.str.endswith("cuda").any():
        yield "No GPU was at hand: the case for one (ResNet-50, 224 px, bf16) is in the suite and was skipped."
    shares = against_bound(timings)
    for group, title in (("efficiency", "Curves: heatmark against the bare network"), ("gradients", "Path integrals")):
        if group in set(shares.group):
            yield f"## {title}"
            yield _table(_shares(shares[shares.group.eq(group)], timings))
    peers = timings[timings.group.eq("peers")]
    if len(peers):
        yield "## Insertion and deletion: heatmark against other libraries"
        yield (
            "Real photographs and weights, fp32 where nothing else is said, other libraries on a network in the layout "
            f"its users have. The job is ten methods x deletion and insertion x 32 images, {JOB:,} network inputs, "
            "the time for it scaled per network input (an adaptive run is timed for the inputs that it saves). "
            "Score differences are from the per-step loop; torch-cam inserts into zeros and Quantus flips single "
            "values, so that those scores are not comparable."
        )
        yield _table(_peers(peers, scores))
    job = timings[timings.group.eq("job")]
    if len(job):
        yield "The whole job, once from end to end; the loop on two of the methods and two of the photographs:"
        yield _table(_peers(job, None))


def _shares(shares: pd.DataFrame, timings: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for (case, contestant), own in shares.groupby(["case", "contestant"], sort=False):
        bound = timings[timings.case.eq(case) & timings.contestant.eq(BOUND) & timings.group.eq(own.group.iloc[0])]
        rows.append(
            {
                "case": case,
                "contestant": contestant,
                "version": own.version.iloc[0],
                "ms a pass": f"{own.each.median():.2f}",
                "bare, ms a pass": f"{own.bound.median():.2f} ({bound.version.iloc[-1]})",
                "share of the bare speed": f"**{own.share.median():.3f}**",
                "least to most": f"{own.share.min():.3f} to {own.share.max():.3f}",
                "rounds": len(own),
            }
        )
    return pd.DataFrame(rows)


def _peers(peers: pd.DataFrame, scores: pd.DataFrame | None) -> pd.DataFrame:
    each = peers.pivot_table("each", "round", "contestant")
    fastest = each[[name for name in PEERS if name in each]].min(axis=1)
    versions = peers.drop_duplicates("contestant", keep="last").set_index("contestant").version
    return pd.DataFrame(
        {
            "contestant": name,
            "version": versions[name],
            "ms an input": f"{own.median():.2f}",
            "minutes for the job": f"{own.median() * JOB / 60e3:.1f}",
            "times as fast as the fastest other library": f"**{(fastest / own).median():.2f}**",
            **_differences(scores, str(name)),
        }
        for name, own in sorted(each.items(), key=lambda column: column[1].median())
    )


def _differences(scores: pd.DataFrame | None, name: str) -> dict[str, str]:
    columns = ("largest score difference", "within 0.002", "within 0.005")
    if scores is None:
        return {}
    if name not in set(scores.contestant) or name == REFERENCE:
        return dict.fromkeys(columns, "")
    wide = scores.pivot_table("score", ["method", "image", "metric"], "contestant")
    apart = (wide[name] - wide[REFERENCE]).abs().dropna()
    shares = [f"{(apart <= limit).mean():.0%} of {len(apart)}" for limit in (0.002, 0.005)]
    return dict(zip(columns, (f"{apart.max():.1e}", *shares), strict=True))


def _table(frame: pd.DataFrame) -> str:
    lines = [[str(name) for name in frame.columns], ["---"] * len(frame.columns)]
    lines += [[str(value) for value in row] for row in frame.itertuples(index=False)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _figure(timings: pd.DataFrame) -> Figure:
    """Left: shares of the bare speed, a point a round. Right: milliseconds an input beside other libraries."""
    shares = against_bound(timings[timings.group.isin(["efficiency", "gradients"])])
    shares["what"] = shares.contestant + " · " + shares.case
    peers = timings[timings.group.eq("peers")].sort_values("each")
    height = 1 + 0.32 * max(shares.what.nunique(), peers.contestant.nunique())
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, height))
    sns.stripplot(shares, x="share", y="what", ax=left, color=PALETTE[0], alpha=0.5, jitter=0.2, size=4)
    medians = shares.groupby("what", sort=False).share.median()
    left.plot(medians.to_numpy(), range(len(medians)), "|", color=TEXT, markersize=14, markeredgewidth=2)
    left.axvline(1, color=TEXT, linewidth=0.8)
    left.set(xlabel="share of the bare speed (bar: median)", ylabel="", title="Against the bound")
    if len(peers):
        order = peers.groupby("contestant").each.median().sort_values().index
        colours = [PALETTE[0] if name.startswith("heatmark") else PALETTE[1] for name in order]
        sns.barplot(
            peers, x="each", y="contestant", order=order, hue="contestant", hue_order=order, palette=colours,
            estimator="median", errorbar=None, legend=False, ax=right,
        )  # fmt: skip
        right.set(xlabel="median ms an input", ylabel="", title="Insertion and deletion")
    else:
        right.set_axis_off()
    return figure
