"""What the book's chapters share: pictures, charts, and numbers for the text."""

from ..needs import require

require("chapters")
