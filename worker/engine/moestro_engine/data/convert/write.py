"""The pair on disk: under other names until it is whole, so that no half file is ever taken for one."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from moestro_engine.data.cache import replacing
from moestro_engine.data.convert.workers import Piece
from moestro_engine.data.token_index import write_index
from moestro_engine.data.token_metadata import FORMAT, TokenMetadata, encode_metadata, metadata_path
from moestro_engine.data.token_pair import binary_path, index_path
from moestro_engine.errors import UserError


@dataclass(frozen=True)
class Written:
    """What was written."""

    metadata: TokenMetadata
    num_empty: int


def output_paths(prefix: Path) -> list[Path]:
    return [binary_path(prefix), index_path(prefix), metadata_path(prefix)]


def write_pair(
    prefix: Path, pieces: Iterable[Piece], dtype: np.dtype, tokenizer: str, vocab_size: int, end_of_document: int | None
) -> Written:
    """Write .bin, .idx and metadata; UserError if there is no token at all, OSError if the disk is full."""
    binary, index, notes = output_paths(prefix)
    digest = hashlib.sha256()
    lengths: list[np.ndarray] = []
    num_tokens = largest = num_empty = 0
    # Left in reverse: the index, without which there is no pair, takes its place last.
    with replacing(index) as index_file, replacing(notes) as notes_file, replacing(binary) as binary_file:
        for piece in pieces:
            binary_file.write(piece.tokens)
            digest.update(piece.tokens)
            lengths.append(piece.lengths)
            num_tokens += len(piece.tokens) // dtype.itemsize
            largest = max(largest, piece.largest_token)
            num_empty += piece.num_empty
        if num_tokens == 0:
            raise UserError("the inputs hold no text, so there is nothing to write; name others")
        metadata = TokenMetadata(
            format=FORMAT,
            tokenizer=tokenizer,
            vocab_size=vocab_size,
            end_of_document=end_of_document,
            max_token=largest,
            num_tokens=num_tokens,
            num_documents=sum(len(part) for part in lengths),
            sha256=digest.hexdigest(),
        )
        write_index(index_file, dtype, lengths)
        notes_file.write(encode_metadata(metadata))
        # An older index must not vouch for the new .bin if this is interrupted here.
        index.unlink(missing_ok=True)
    return Written(metadata, num_empty)
