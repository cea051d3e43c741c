"""Service meshes as layers of policy, and the mutual TLS that they make."""
