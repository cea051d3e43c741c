"""Who may do what: effective rights, what they can be turned into, and the paths that follow."""
