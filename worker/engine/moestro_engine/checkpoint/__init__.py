"""Checkpoints as safetensors shards that say what slice of which tensor they hold. Nothing is pickled."""
