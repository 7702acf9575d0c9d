"""Means, paired tests, and boards of them."""
