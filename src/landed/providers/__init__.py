"""A folder per provider: its signatures, its callbacks read into receipts, its client and its error codes."""
