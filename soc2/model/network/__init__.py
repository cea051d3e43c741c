"""Who can talk to whom: endpoints, the layers of policy between them, and what is declared and seen of it."""
