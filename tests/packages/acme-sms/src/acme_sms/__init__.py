"""Acme SMS for Landed."""
