"""The demo's company, Northwind Notes: what it declares, and what is wrong with it in the default variant."""

from pathlib import Path

FOLDER = Path(__file__).parent
