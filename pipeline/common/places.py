"""Places that files are read from."""

from pathlib import Path

Place = Path
"""Where a file lies."""
