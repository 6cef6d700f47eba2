"""What the book's chapters share: pictures, charts, and numbers for the text."""
