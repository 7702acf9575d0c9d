"""Suites: the shipped TOML files, and how they are read."""
