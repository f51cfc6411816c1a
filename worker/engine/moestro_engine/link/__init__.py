"""How a rank talks to its agent."""
