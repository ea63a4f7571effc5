"""Measures plant against the bare driver and against itself without its guards: `python -m tests.perf.plant`."""
