"""Reads logs of every format, from files and stores, into segments that DuckDB can read."""
