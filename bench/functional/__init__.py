"""Tensors in, tensors out: the mathematics, usable without the rest."""
