"""Accept and keep: the durable, ordered log of accepted callbacks. base.py is the contract; each file keeps it."""
