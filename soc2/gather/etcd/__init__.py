"""Asks etcd itself, where it is declared."""
