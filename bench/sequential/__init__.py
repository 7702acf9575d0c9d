"""Tests that are looked at several times while images come in: alpha spent over looks, and what is still open."""
