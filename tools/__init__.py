"""The build of the book: executing, staging, HTML, gates and the closing table."""
