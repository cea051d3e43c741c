"""Evidence from a Kubernetes API server. Nothing is ever written, except reviews and server-side dry-runs."""
