"""Text or token files on disk → memory-mapped tokens → micro-batches in a reproducible order."""
