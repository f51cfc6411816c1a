"""Weights to and from Hugging Face folders: Mixtral's format both ways, Llama's for upcycling. Nothing is unpickled."""
