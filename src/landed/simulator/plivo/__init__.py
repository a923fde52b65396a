"""A stand-in for Plivo: its HTTP API, a file for each resource, and its callbacks, over the carrier that they share.

Follows Plivo's API pages and the fixtures of its SDKs, read 2026-11. What is not documented (words of errors, statuses
of HTTP) is chosen so that the official SDKs and Landed's client read it as they would Plivo's.
"""
