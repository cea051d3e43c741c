"""Manifests: Kubernetes objects read from files, before anything is deployed."""
