"""Ticketing: procedures under way, their tasks, and the switching of the network."""
