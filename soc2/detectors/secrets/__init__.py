"""Finds hard-coded secrets by known formats, by names and by randomness; see docs/secrets.md for what counts as one.

Pure: no file, no network. Contents go in, findings come out.
"""

from soc2.detectors.secrets.scanner import Scanner

__all__ = ["Scanner"]
