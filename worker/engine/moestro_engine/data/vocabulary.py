"""That every token of a pair is in the model's vocabulary, found out before the first step."""

import hashlib
import json
from pathlib import Path

import numpy as np

from moestro_engine.data.cache import replacing
from moestro_engine.data.token_pair import TokenPair, open_tokens
from moestro_engine.errors import UserError

CHUNK_TOKENS = 1 << 24


def check_vocabulary(pair: TokenPair, vocab_size: int, cache: Path) -> None:
    """UserError with the first token that is outside.

    The type of the tokens or the metadata may settle it. Else the file is read once, and that it was is
    noted in the cache folder until the file changes.
    """
    limits = np.iinfo(pair.index.dtype)
    if pair.index.num_tokens == 0 or (limits.min == 0 and limits.max < vocab_size):
        return
    metadata = pair.metadata
    if metadata is not None and metadata.max_token < vocab_size:
        return
    status = pair.binary.stat()
    seen = {"size": status.st_size, "mtimeNs": status.st_mtime_ns, "vocabSize": vocab_size}
    note = cache / f"vocabulary-{hashlib.sha256(str(pair.binary).encode()).hexdigest()[:16]}.json"
    if _read(note) == seen:
        return
    position = first_outside(open_tokens(pair.binary, pair.index.dtype), vocab_size)
    if position is not None:
        token = int(open_tokens(pair.binary, pair.index.dtype)[position])
        raise outside(pair.binary, token, position, vocab_size, metadata.vocab_size if metadata else None)
    cache.mkdir(parents=True, exist_ok=True)
    with replacing(note) as file:
        file.write(json.dumps(seen).encode())


def first_outside(tokens: np.ndarray, vocab_size: int) -> int | None:
    """Position of the first token that is negative or too large."""
    for start in range(0, len(tokens), CHUNK_TOKENS):
        chunk = tokens[start : start + CHUNK_TOKENS]
        if chunk.min() < 0 or chunk.max() >= vocab_size:
            return start + int(np.argmax((chunk < 0) | (chunk >= vocab_size)))
    return None


def outside(binary: Path | str, token: int, position: int, vocab_size: int, made_with: int | None = None) -> UserError:
    """The error for a token that the model has no embedding for."""
    made = f"; the file was made with a vocabulary of {made_with}" if made_with else ""
    return UserError(
        f"{binary}: token {token} at position {position} is not in the model's vocabulary of {vocab_size}{made}; "
        "set model.vocabSize to the tokenizer's, or prepare the data with the model's tokenizer"
    )


def _read(note: Path) -> object:
    try:
        return json.loads(note.read_text())
    except (OSError, ValueError):
        return None
