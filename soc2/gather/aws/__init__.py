"""Evidence from the AWS APIs: read operations only."""
