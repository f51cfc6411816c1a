"""How the model is laid over ranks: mesh, groups, collectives, sharding, pipeline."""
