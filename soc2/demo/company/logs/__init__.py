"""The company's logs: a day of quiet, made up from a seed, and what is planted in it in the default variant."""
