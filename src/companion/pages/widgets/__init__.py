"""Interactive figures, a module for each, beside the controls and the script of its name."""
