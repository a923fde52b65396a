"""What the system is: plain data, tables and pure functions. Standard library only; no I/O, no clock, no await."""
