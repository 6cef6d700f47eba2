"""Interactive figures, a module for each, beside the script and style of the same name."""
