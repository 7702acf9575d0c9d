"""The logs of training as a table and as a figure."""

import json
from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from bench.report.figures.style import COLUMN, colours
from bench.report.short_names import shortened
from bench.results.result_set import Results

MEASURES = {"loss": "loss", "accuracy": "accuracy", "penalty": "penalty, share of the first epoch's"}
_TRAINING = ["network", "recipe", "seed"]
_LENGTHS = {"-": "", "--": (4, 1.5), "-.": (3, 1.25, 1.25, 1.25), ":": (1, 1)}


def training_log(results: Results) -> pd.DataFrame:
    """One row for each network, seed and epoch: what was logged, among it loss, validation accuracy and penalty."""
    parts = []
    for _, row in results.networks.iterrows():
        log = pd.DataFrame(json.loads(str(row.log)) if row.log else [])
        if {"epoch", "accuracy"} <= set(log):
            log = log.assign(network=str(row.network), recipe=str(row.recipe), seed=int(row.seed))
            parts.append(log[[*_TRAINING, *log.columns.drop(_TRAINING)]])
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def measured(log: pd.DataFrame) -> list[str]:
    """Which of loss, accuracy and penalty a log holds."""
    return [name for name in MEASURES if name in log and log[name].notna().any()]


def draw_training(log: pd.DataFrame, width: float) -> Figure:
    """Loss, accuracy and what a regulariser penalises by epoch, the range over seeds shaded."""
    names = (log.network + " / " + log.recipe).rename(None)
    shown = {name: MEASURES[name] for name in measured(log)}
    values = log
    if "penalty" in shown:
        values = log.assign(penalty=log.penalty / log.groupby(_TRAINING).penalty.transform("first").abs())
    looks = colours(list(names.unique()), [False] * names.nunique())
    across = 1 if width == COLUMN else len(shown)
    down = -(-len(shown) // across)
    columns = 1 if width == COLUMN else 2
    legend = 0.16 * -(-names.nunique() // columns)
    figure = Figure(figsize=(width, 0.2 + 1.9 * down + legend))
    for axes, (name, label) in zip(figure.subplots(down, across, squeeze=False).flat, shown.items(), strict=True):
        kept = values[name].notna()
        sns.lineplot(
            x=values.epoch[kept],
            y=values[name][kept],
            hue=names[kept],
            style=names[kept],
            palette={key: looks[key][0] for key in names[kept].unique()},
            dashes={key: _LENGTHS[looks[key][1]] for key in names[kept].unique()},
            errorbar=("pi", 100),
            legend="auto" if name == "accuracy" else False,
            ax=axes,
        )
        axes.set(xlabel="epoch", ylabel="", xticks=sorted(log.epoch.unique())[:: -(-log.epoch.nunique() // 8)])
        axes.set_title(label, loc="left")
        if name == "accuracy":
            lines, texts = axes.get_legend_handles_labels()
            where: Any = {"loc": "outside lower left", "ncols": columns, "frameon": False, "fontsize": 7.5}
            figure.legend(lines, shortened(texts, 48), **where)
            axes.get_legend().remove()
    return figure
