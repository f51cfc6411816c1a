"""The decoder-only Mixture-of-Experts model, written for one device.

Shape suffixes: B batch, S sequence, D hidden, T tokens (B*S), H heads, G key-value heads, P head
dimension, E experts, L local experts, F expert's hidden width, K experts a token, C capacity of an
expert, R rows of experts' input, V vocabulary. A lower-case s is a rank's slice of the sequence.
"""
