"""Gathering: the only code that talks to a network. Gatherers never judge."""
