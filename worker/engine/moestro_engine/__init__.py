"""The PyTorch engine of moestro: one process per GPU trains its share of a Mixture-of-Experts model."""
