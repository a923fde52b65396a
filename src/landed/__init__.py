"""Landed: what became of every message you sent."""

__version__ = "0.1.0"
