"""Training runs stood here until version 0.1."""

raise ImportError(
    "patchinit.experiments is companion.runs since version 0.2, and comes with a clone of the "
    "book, not with the package; runs are made by `python -m companion run`"
)
