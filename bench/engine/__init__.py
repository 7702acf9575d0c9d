"""The one way images go through a network in bulk: perturbed, queued into chunks, predicted."""

from bench.engine.perturbation_curves import Ranked, curves_of
from bench.engine.predict import clean_logits, fastest_chunk, logits_in_chunks

__all__ = ["Ranked", "clean_logits", "curves_of", "fastest_chunk", "logits_in_chunks"]
