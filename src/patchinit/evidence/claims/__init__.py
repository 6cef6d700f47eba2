"""The rules of the verdicts, one file for each group of claims."""
