"""The budgets of docs/benchmarks.md, measured: `python -m benchmarks`, or `make bench`.

A file per budget (acks, half_load, tracking, questions, memory, start); contenders.py names the servers that ours is
held against, harness.py starts them and loads them with wrk, report.py prints and keeps what came out.
"""
