"""Text on disk → byte tokens in memory-mapped files → micro-batches in a reproducible order."""
