"""Training runs: from settings, which are a value, to a record of what was measured."""
