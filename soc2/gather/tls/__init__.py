"""Tries the TLS of the endpoints that the owner declares: what they accept is seen, not read from a configuration."""
