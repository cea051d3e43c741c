"""Kubernetes objects as the rules need them: only the fields that some rule reads, texts that may be secret replaced."""
