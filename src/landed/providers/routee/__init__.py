"""Routee: callbacks as JSON, a reason in words where Plivo has a code, and nothing signed."""
