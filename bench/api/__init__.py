"""The contract between the suite and its plug-ins: what to subclass, and the records that travel between them."""

from bench.api.attribution import Attribution
from bench.api.dataset import Dataset, Sample
from bench.api.explanation import OK, Explained, Scored
from bench.api.metric import AnyMetric, ImageMetric, Metric, PerturbationMetric, Plan
from bench.api.network import Network, Preprocess
from bench.api.network_metric import Compared, NetworkMetric, Removal, Retrainer
from bench.api.plugin import Plugin
from bench.api.randomness import ImageRandom
from bench.api.recipe import Recipe
from bench.api.request import Cost, Request
from bench.errors import HeatmarkError, UnsupportedError
from bench.settings import CLASSIFYING, Compiler, OutputKind, Precision

__all__ = [
    "CLASSIFYING",
    "OK",
    "AnyMetric",
    "Attribution",
    "Compared",
    "Compiler",
    "Cost",
    "Dataset",
    "Explained",
    "HeatmarkError",
    "ImageMetric",
    "ImageRandom",
    "Metric",
    "Network",
    "NetworkMetric",
    "OutputKind",
    "PerturbationMetric",
    "Plan",
    "Plugin",
    "Precision",
    "Preprocess",
    "Recipe",
    "Removal",
    "Request",
    "Retrainer",
    "Sample",
    "Scored",
    "UnsupportedError",
]
