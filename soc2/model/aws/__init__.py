"""AWS resources as the rules need them: only the fields that some rule reads."""
