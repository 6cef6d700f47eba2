"""Training runs: from settings, which are a value, to a record of what was measured."""

from ..needs import require

require("experiments")
