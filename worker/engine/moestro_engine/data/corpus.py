"""Token files that are read as one: parts of .bin files with weights, listed in a small JSON file."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from moestro_engine.data.order import num_windows
from moestro_engine.data.vocabulary import outside


@dataclass(frozen=True)
class Part:
    """The run of tokens that one source gives for training, or for validation."""

    file: str
    dtype: str
    first_token: int
    num_tokens: int
    weight: float


@dataclass(frozen=True)
class Corpus:
    """What training, or validation, draws its windows from."""

    parts: tuple[Part, ...]
    vocab_size: int

    def write(self, file: BinaryIO) -> None:
        file.write(json.dumps({"vocab_size": self.vocab_size, "parts": [asdict(part) for part in self.parts]}, indent=2).encode())


def read_corpus(path: Path) -> Corpus:
    """The corpus a ``.json`` lists; any other file is one part, a byte a token."""
    if path.suffix != ".json":
        return Corpus((Part(str(path), "uint8", 0, path.stat().st_size, 1.0),), vocab_size=256)
    values = json.loads(path.read_text())
    return Corpus(tuple(Part(**part) for part in values["parts"]), values["vocab_size"])


class CorpusWindows:
    """The windows of a corpus: part by part, as many side by side as fit."""

    def __init__(self, corpus: Corpus, sequence_length: int) -> None:
        self._corpus = corpus
        self._length = sequence_length
        self._tokens = [np.memmap(part.file, dtype=part.dtype, mode="r") for part in corpus.parts]
        self.num_windows = [num_windows(part.num_tokens, sequence_length) for part in corpus.parts]
        self.weights = [part.weight for part in corpus.parts]

    def read(self, part: int, window: int) -> np.ndarray:
        """Inputs of a window and the target after them, int64 [sequence + 1]; UserError for a token the model lacks."""
        first = self._corpus.parts[part].first_token + window * self._length
        tokens = self._tokens[part][first : first + self._length + 1].astype(np.int64)
        vocab_size = self._corpus.vocab_size
        if tokens.min() < 0 or tokens.max() >= vocab_size:
            offset = int(np.argmax((tokens < 0) | (tokens >= vocab_size)))
            raise outside(self._corpus.parts[part].file, int(tokens[offset]), first + offset, vocab_size)
        return tokens
