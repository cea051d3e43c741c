"""A SOC 2 examination of Kubernetes and AWS that runs as a pytest suite."""

__version__ = "0.1.0"
