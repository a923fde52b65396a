"""The carrier network behind the stand-ins: what becomes of a message, when, and how badly it is told.

Deterministic: the same scenario and seed give every message the same fate, in whatever order requests come in.
"""
