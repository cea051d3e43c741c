"""Detection: Sigma rules, compiled to SQL over typed logs, and simple statistics beside them."""
