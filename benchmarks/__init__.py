"""What the service costs, measured: `make bench`, or `python -m benchmarks`."""
