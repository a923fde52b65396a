"""Callbacks as the providers make them: their fields, and the requests that carry those. Pure: no clock, no lots."""
