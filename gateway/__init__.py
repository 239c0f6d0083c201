"""Countersign: a human-in-the-loop approval gateway for Mistral agents."""

__version__ = "0.1.0"
