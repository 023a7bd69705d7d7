"""The demo city: coarse outlines of Leipzig's ten Stadtbezirke, drawn by hand."""

from pathlib import Path

from ..importing import import_file

OUTLINES = Path(__file__).with_name("outlines.json")


def load_demo_areas() -> None:
    """Make the ten Stadtbezirke the city's districts, in the same way as any city's own file."""
    import_file(OUTLINES, code="code", city="Leipzig")
