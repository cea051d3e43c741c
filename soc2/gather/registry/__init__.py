"""Reads images from their registries: manifests, configurations and layers, which are streamed and never written to disk."""
