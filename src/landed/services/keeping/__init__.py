"""Keeping: what the receipts of a batch change in the rows, counters and events of one kind of thing.

The tracker calls each keeper inside its one transaction. A keeper folds, and writes what came out: called again with
the same receipts it changes nothing. There is a file for each kind of thing; `things.py` is what most of them need.
"""
