"""What the collected runs say: intervals, tests, and the verdict on each claim."""
