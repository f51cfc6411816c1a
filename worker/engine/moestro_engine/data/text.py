"""Text files → two files of byte tokens, once. One byte is one token (uint8)."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from moestro_engine.data import cache
from moestro_engine.data.sources import Source, SourceFile, is_validation

SEPARATOR = b"\0"


@dataclass(frozen=True)
class TokenizedText:
    """The token files of a source, and whether they were there already."""

    train: Path
    validation: Path
    index: cache.CacheIndex
    reused: bool


def tokenize_text(source: Source, cache_directory: Path, fraction: float) -> TokenizedText:
    """Find or make the token files; OSError if something cannot be read or written.

    Files are kept apart by a hash of their name; a single file is cut, its end is for validation.
    Every file is followed by a zero byte.
    """
    folder = cache.cache_folder(cache_directory, source, fraction)
    mark = cache.fingerprint(source, fraction)
    with cache.locked(folder):
        index = cache.read_index(folder, mark)
        reused = index is not None
        if index is None:
            index = _tokenize(source, folder, mark, fraction)
    return TokenizedText(folder / "train.bin", folder / "validation.bin", index, reused)


def _tokenize(source: Source, folder: Path, mark: str, fraction: float) -> cache.CacheIndex:
    digest = hashlib.sha256()
    tokens, files = {"train": 0, "validation": 0}, {"train": 0, "validation": 0}
    # A stale index must not vouch for new token files if this is interrupted.
    (folder / "index.json").unlink(missing_ok=True)
    with cache.replacing(folder / "train.bin") as train, cache.replacing(folder / "validation.bin") as validation:
        outputs = {"train": train, "validation": validation}
        for file in source.files:
            content = file.path.read_bytes()
            digest.update(f"{file.name}\0{len(content)}\0{hashlib.sha256(content).hexdigest()}\n".encode())
            for part, text in _split(file, content, fraction, source.split_inside):
                if text:
                    outputs[part].write(text + SEPARATOR)
                    tokens[part] += len(text) + 1
                    files[part] += 1
    index = cache.CacheIndex(
        cache.FORMAT, mark, digest.hexdigest(), tokens["train"], tokens["validation"], files["train"], files["validation"]
    )
    cache.write_index(folder, index)
    return index


def _split(file: SourceFile, content: bytes, fraction: float, inside: bool) -> list[tuple[str, bytes]]:
    if not inside:
        return [("validation" if is_validation(file.name, fraction) else "train", content)]
    cut = round(len(content) * (1 - fraction))
    return [("train", content[:cut]), ("validation", content[cut:])]
