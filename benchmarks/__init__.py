"""How fast it is, as ratios in one run. `python -m benchmarks` prints the table."""
