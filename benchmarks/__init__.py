"""Measurements as ratios against a baseline of the same run; figures stand in RESULTS.md."""
