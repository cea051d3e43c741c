"""Typed records: what gatherers produce, rules read and reports show. Imports nothing else of this package."""
