"""The one way images go through a network in bulk: perturbed, queued into chunks, predicted."""

from bench.engine.mixed_precision import Drawn
from bench.engine.perturbation_curves import Ranked, drawn
from bench.engine.predict import clean_logits, fastest_chunk, logits_in_chunks

__all__ = ["Drawn", "Ranked", "clean_logits", "drawn", "fastest_chunk", "logits_in_chunks"]
