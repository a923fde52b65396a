"""Accept and keep: the durable, ordered log of accepted callbacks. base.py is the contract; a file per implementation."""
