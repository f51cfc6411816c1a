"""Text to token numbers: bytes as they are, or by a Hugging Face tokenizer.json."""

import hashlib
from pathlib import Path
from typing import Protocol

import numpy as np

from moestro_engine.data.convert.optional import load_optional
from moestro_engine.data.token_metadata import BYTES_TOKENIZER
from moestro_engine.errors import UserError

# What tokenizers call the token between documents; the first one that a vocabulary has is taken.
END_NAMES = (
    "<|endoftext|>",
    "<|end_of_text|>",
    "</s>",
    "<eos>",
    "<|eos|>",
    "<\uff5cend\u2581of\u2581sentence\uff5c>",
    "[EOS]",
    "<|im_end|>",
)
# Megatron's own choice: below this, tokens are stored in two bytes, else in four.
UINT16_VOCABULARY = 65500


class Tokenizer(Protocol):
    """Turns documents into tokens; the same text always into the same ones."""

    label: str
    vocab_size: int

    def encode(self, texts: list[bytes]) -> list[np.ndarray]:
        """The tokens of each UTF-8 text."""
        ...

    def end_token(self, name: str | None) -> int:
        """The token that ends a document: the one of this name, or the tokenizer's own; UserError if there is none."""
        ...


class BytesTokenizer:
    """A byte is a token; a document ends with a zero byte."""

    label = BYTES_TOKENIZER
    vocab_size = 256

    def encode(self, texts: list[bytes]) -> list[np.ndarray]:
        return [np.frombuffer(text, dtype=np.uint8) for text in texts]

    def end_token(self, name: str | None) -> int:
        if name is not None:
            raise UserError("--eod-token: the byte tokenizer has no names for tokens; it ends a document with a zero byte")
        return 0


class FileTokenizer:
    """A tokenizer.json of the Hugging Face tokenizers library; adds no special tokens, cuts and pads nothing."""

    def __init__(self, path: Path) -> None:
        tokenizers = load_optional("tokenizers", f"--tokenizer {path}")
        if not path.is_file():
            raise UserError(f"--tokenizer: {path} does not exist; name a tokenizer.json, or bytes")
        content = path.read_bytes()
        try:
            self._tokenizer = tokenizers.Tokenizer.from_str(content.decode())
        # The library raises bare Exceptions.
        except Exception as error:
            why = str(error).splitlines()[0]
            raise UserError(f"--tokenizer: {path} is no tokenizer.json of the Hugging Face tokenizers library: {why}") from None
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._vocabulary = self._tokenizer.get_vocab(with_added_tokens=True)
        self.vocab_size = max(self._vocabulary.values(), default=-1) + 1
        self.label = f"{path.name} {hashlib.sha256(content).hexdigest()}"
        self._path = path

    def encode(self, texts: list[bytes]) -> list[np.ndarray]:
        encodings = self._tokenizer.encode_batch_fast([text.decode() for text in texts], add_special_tokens=False)
        return [np.array(encoding.ids, dtype=np.int32) for encoding in encodings]

    def end_token(self, name: str | None) -> int:
        names = END_NAMES if name is None else (name,)
        found = next((self._vocabulary[candidate] for candidate in names if candidate in self._vocabulary), None)
        if found is None:
            what = f"has no token {name}" if name else "has no token that usually ends a document"
            raise UserError(f"--append-eod: {self._path} {what}; name one of its tokens as --eod-token")
        return found


def open_tokenizer(name: str) -> Tokenizer:
    """``bytes`` or the path of a tokenizer.json."""
    return BytesTokenizer() if name == BYTES_TOKENIZER else FileTokenizer(Path(name))


def token_dtype(vocab_size: int) -> np.dtype:
    """The smallest type that Megatron reads and that holds the vocabulary."""
    if vocab_size <= 256:
        return np.dtype(np.uint8)
    return np.dtype(np.uint16 if vocab_size < UINT16_VOCABULARY else np.int32)
