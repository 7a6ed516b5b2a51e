"""Measures the project against bare gRPC: `python -m benchmarks`, or `make bench`.

Each benchmark is a file `p<number>_<subject>.py` here, which is found by its name.
Nothing in this package is a test: a missed target is a finding, never a failure.
"""
