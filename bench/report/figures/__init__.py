"""Figures of a board, as wide as a column or a page of a paper."""
