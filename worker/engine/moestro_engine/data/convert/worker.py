"""``python -m moestro_engine.data.convert.worker``: tokenises pieces of work until its input ends.

A line of JSON comes in for each piece. A line of JSON goes out, then what it tells of: the token counts
of the documents (int32) and their tokens, one after the other.
"""

import json
import os
import sys
from typing import BinaryIO

import numpy as np

from moestro_engine.data.convert.documents import read_documents
from moestro_engine.data.convert.tasks import Task
from moestro_engine.data.convert.tokenizer import BytesTokenizer, Tokenizer, open_tokenizer, token_dtype
from moestro_engine.errors import EngineError, UserError
from moestro_engine.parent import die_with_parent, prepare_signals

MAX_DOCUMENT_TOKENS = 2**31 - 1
# Documents that a tokenizer gets at once.
BATCH_BYTES = 1 << 20


def main() -> None:
    prepare_signals()
    die_with_parent()
    # Each worker is one of several: the tokenizer's own threads would only be in the way.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    output = sys.stdout.buffer
    settings = json.loads(sys.stdin.readline())
    tokenizer = open_tokenizer(settings["tokenizer"])
    for line in sys.stdin:
        task = Task.from_json(json.loads(line))
        try:
            _answer(output, *tokenize_task(task, tokenizer, settings["field"], settings["end"]))
        except EngineError as error:
            _write_line(output, {"error": str(error), "user": isinstance(error, UserError)})
        except OSError as error:
            _write_line(output, {"error": f"{error.filename}: {error.strerror}; check the file", "user": True})
        output.flush()


def tokenize_task(task: Task, tokenizer: Tokenizer, field: str, end: int | None) -> tuple[np.ndarray, np.ndarray, int]:
    """Token counts of the documents (int32), all their tokens, and how many documents were empty and left out."""
    dtype = token_dtype(tokenizer.vocab_size)
    lengths: list[int] = []
    pieces: list[np.ndarray] = []
    num_empty = 0
    ending = [] if end is None else [np.array([end], dtype=dtype)]
    for batch in _batches(task, field, must_be_utf8=not isinstance(tokenizer, BytesTokenizer)):
        for tokens in tokenizer.encode(batch):
            if len(tokens) == 0:
                num_empty += 1
                continue
            if len(tokens) + len(ending) > MAX_DOCUMENT_TOKENS:
                raise UserError(f"{task.files[0]}: a document of {len(tokens)} tokens; the index holds at most 2^31 - 1; cut it")
            lengths.append(len(tokens) + len(ending))
            pieces += [tokens.astype(dtype), *ending]
    tokens = np.concatenate(pieces) if pieces else np.empty(0, dtype)
    return np.array(lengths, dtype=np.int32), tokens, num_empty


def _batches(task: Task, field: str, must_be_utf8: bool):
    batch: list[bytes] = []
    num_bytes = 0
    for document in read_documents(task, field, must_be_utf8):
        batch.append(document)
        num_bytes += len(document)
        if num_bytes >= BATCH_BYTES:
            yield batch
            batch, num_bytes = [], 0
    yield batch


def _answer(output: BinaryIO, lengths: np.ndarray, tokens: np.ndarray, num_empty: int) -> None:
    largest = int(tokens.max()) if len(tokens) else 0
    _write_line(output, {"documents": len(lengths), "tokens": len(tokens), "largest": largest, "empty": num_empty})
    output.write(lengths.astype("<i4").tobytes())
    output.write(tokens.astype(tokens.dtype.newbyteorder("<")).tobytes())


def _write_line(output: BinaryIO, value: dict) -> None:
    output.write(json.dumps(value).encode() + b"\n")


if __name__ == "__main__":
    main()
