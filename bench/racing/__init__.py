"""Suites carried out image by image until the places of the methods are decided, and no longer."""
