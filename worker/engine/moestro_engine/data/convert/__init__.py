"""Text, JSONL and Parquet → a .bin/.idx pair of tokens, on all processors, the same bytes on any number of them."""
