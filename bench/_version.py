"""The version, readable without importing anything heavy."""

version = "0.1.0"
