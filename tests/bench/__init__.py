"""Measurements beside the raw limits of the same run. `python -m tests.bench [P4 P5 …] [--rounds N] [--scale X]`."""
