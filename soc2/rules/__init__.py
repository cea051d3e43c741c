"""Rules: pure functions from one record to the deviations in it. They fetch nothing and read no clock."""
