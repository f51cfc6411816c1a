"""The training loop of one rank and what happens at a step's end."""
