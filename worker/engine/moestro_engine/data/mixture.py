"""The sources of a job that are token files, or several: opened, checked, cut, and listed for all ranks."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from moestro_engine.data.blend import whole_weights
from moestro_engine.data.cache import replacing
from moestro_engine.data.corpus import Corpus, Part
from moestro_engine.data.sources import find_text
from moestro_engine.data.text import tokenize_text
from moestro_engine.data.token_metadata import BYTES_TOKENIZER
from moestro_engine.data.token_pair import fingerprint, open_pair, pair_prefix
from moestro_engine.data.vocabulary import check_vocabulary
from moestro_engine.errors import UserError


@dataclass(frozen=True)
class Ingredient:
    """One source of a mixture: its two parts and what they were made of."""

    train: Part
    validation: Part
    content_hash: str
    # None if whoever wrote the files did not say.
    tokenizer: str | None
    num_train_files: int
    num_validation_files: int
    reused: bool


@dataclass(frozen=True)
class Mixture:
    """All sources, and the two files that list their parts."""

    ingredients: tuple[Ingredient, ...]
    train: Path
    validation: Path
    source_hash: str
    # What made all tokens; None if no source says.
    tokenizer: str | None


def prepare_mixture(sources: list[tuple[str, float]], fraction: float, vocab_size: int, cache_directory: Path) -> Mixture:
    """Open every (path, weight); UserError with one line about the first that will not do."""
    ingredients = tuple(_open(Path(path), weight, fraction, vocab_size, cache_directory) for path, weight in sources)
    made_by = {ingredient.tokenizer: path for ingredient, (path, _) in zip(ingredients, sources, strict=True)}
    known = [(tokenizer, path) for tokenizer, path in made_by.items() if tokenizer is not None]
    if len(known) > 1:
        (one, path), (other, other_path) = known[:2]
        raise UserError(
            f"{path} holds tokens of tokenizer {one}, {other_path} of {other}; one model reads one vocabulary: "
            "prepare all sources with the same tokenizer"
        )
    weights = whole_weights([weight for _, weight in sources])
    digest = hashlib.sha256()
    for ingredient, weight in zip(ingredients, weights, strict=True):
        digest.update(f"{ingredient.content_hash}\0{weight}\n".encode())
    where = hashlib.sha256(repr((digest.hexdigest(), sources, fraction, vocab_size)).encode()).hexdigest()[:16]
    folder = cache_directory / f"mixture-{where}"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("train", "validation"):
        with replacing(folder / f"{name}.json") as file:
            Corpus(tuple(getattr(ingredient, name) for ingredient in ingredients), vocab_size).write(file)
    tokenizer = known[0][0] if known else None
    return Mixture(ingredients, folder / "train.json", folder / "validation.json", digest.hexdigest(), tokenizer)


def _open(path: Path, weight: float, fraction: float, vocab_size: int, cache_directory: Path) -> Ingredient:
    prefix = pair_prefix(path)
    if prefix is None:
        return _open_text(path, weight, fraction, vocab_size, cache_directory)
    pair = open_pair(prefix)
    check_vocabulary(pair, vocab_size, cache_directory)
    num_tokens, dtype, binary = pair.index.num_tokens, pair.index.dtype.name, str(pair.binary)
    # As with a single text file: its end is for validation.
    cut = round(num_tokens * (1 - fraction))
    return Ingredient(
        train=Part(binary, dtype, 0, cut, weight),
        validation=Part(binary, dtype, cut, num_tokens - cut, weight),
        content_hash=fingerprint(pair),
        tokenizer=pair.metadata.tokenizer if pair.metadata else None,
        num_train_files=1,
        num_validation_files=1,
        reused=True,
    )


def _open_text(path: Path, weight: float, fraction: float, vocab_size: int, cache_directory: Path) -> Ingredient:
    if vocab_size < 256:
        raise UserError(f"{path} is text, a token a byte: it needs model.vocabSize 256 or more, the job has {vocab_size}")
    text = tokenize_text(find_text(path), cache_directory, fraction)
    index = text.index
    return Ingredient(
        train=Part(str(text.train), "uint8", 0, index.train_tokens, weight),
        validation=Part(str(text.validation), "uint8", 0, index.validation_tokens, weight),
        content_hash=index.source_hash,
        tokenizer=BYTES_TOKENIZER,
        num_train_files=index.train_files,
        num_validation_files=index.validation_files,
        reused=text.reused,
    )
