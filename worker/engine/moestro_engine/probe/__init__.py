"""Measures this machine with the engine's own layers and collectives, for the planner."""
