"""``<prefix>.meta.json``: what moestro knows of a pair beyond its index. Megatron neither writes nor reads it."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

FORMAT = 1
BYTES_TOKENIZER = "bytes"


@dataclass(frozen=True)
class TokenMetadata:
    """How a pair was made, and the largest token in it."""

    format: int
    # "bytes", or the name of the tokenizer's file and the SHA-256 of its content.
    tokenizer: str
    vocab_size: int
    # The token after every document, if there is one.
    end_of_document: int | None
    max_token: int
    num_tokens: int
    num_documents: int
    # Of the .bin.
    sha256: str


def metadata_path(prefix: Path) -> Path:
    return prefix.with_name(f"{prefix.name}.meta.json")


def encode_metadata(metadata: TokenMetadata) -> bytes:
    return (json.dumps(asdict(metadata), indent=2) + "\n").encode()


def read_metadata(prefix: Path, num_tokens: int) -> TokenMetadata | None:
    """The metadata if it is there, readable and of a .bin of this many tokens."""
    try:
        metadata = TokenMetadata(**json.loads(metadata_path(prefix).read_text()))
    except (OSError, ValueError, TypeError):
        return None
    fits = _has_its_types(metadata) and metadata.format == FORMAT and metadata.num_tokens == num_tokens
    return metadata if fits else None


def _has_its_types(metadata: TokenMetadata) -> bool:
    """JSON's true and false would pass for numbers."""
    values = [(getattr(metadata, field.name), field.type) for field in fields(metadata)]
    return all(isinstance(value, kind) and not isinstance(value, bool) for value, kind in values)
