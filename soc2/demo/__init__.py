"""The embedded environment: a real control plane and an AWS API server on this machine, holding a small company."""
