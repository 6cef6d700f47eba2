"""The registered rules: what is compared, at how many seeds, and what is said of each claim."""
