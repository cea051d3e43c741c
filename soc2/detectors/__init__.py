"""Detectors: what looks into contents while they are gathered, so that only findings are kept of them."""
