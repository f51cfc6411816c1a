"""``python -m moestro_engine.data.convert``: what ``moestro data prepare`` runs.

Exit code: 0 done, 2 a mistake in the input, 4 the machine lacks something, 130 interrupted.
"""

import argparse
import errno
import os
import signal
import sys
from pathlib import Path

from moestro_engine.data.convert.progress import Progress, in_units
from moestro_engine.data.convert.tasks import list_inputs, make_tasks
from moestro_engine.data.convert.tokenizer import open_tokenizer, token_dtype
from moestro_engine.data.convert.workers import tokenize_in_order
from moestro_engine.data.convert.write import Written, output_paths, write_pair
from moestro_engine.data.token_pair import pair_prefix
from moestro_engine.errors import EngineError, UserError

# No space, no more of the person's quota, no larger file by the system's or the shell's limit.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def main() -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    arguments = _parse()
    try:
        print(_describe(arguments.out, convert(arguments)))
    except KeyboardInterrupt:
        print("data prepare: interrupted; nothing was written", file=sys.stderr)
        return 130
    except EngineError as error:
        print(f"data prepare: {error}", file=sys.stderr)
        return 2 if isinstance(error, UserError) else 4
    except OSError as error:
        where = error.filename or arguments.out
        full = error.errno in FULL
        remedy = "free some or write elsewhere; nothing was written" if full else "check the path and its permissions"
        print(f"data prepare: {where}: {error.strerror}; {remedy}", file=sys.stderr)
        return 4
    return 0


def convert(arguments: argparse.Namespace) -> Written:
    """Tokenise all inputs into the pair at ``out``."""
    prefix = pair_prefix(arguments.out) or arguments.out
    existing = [path for path in output_paths(prefix) if path.exists()]
    if existing and not arguments.overwrite:
        raise UserError(f"--out: {existing[0]} is there already; name another prefix, or give --overwrite")
    files = list_inputs(arguments.inputs, {path.resolve() for path in output_paths(prefix)})
    tokenizer = open_tokenizer(arguments.tokenizer)
    end = tokenizer.end_token(arguments.eod_token) if arguments.append_eod else None
    tasks = make_tasks(files, arguments.field)
    prefix.parent.mkdir(parents=True, exist_ok=True)
    settings = {"tokenizer": arguments.tokenizer, "field": arguments.field, "end": end}
    dtype = token_dtype(tokenizer.vocab_size)
    progress = Progress(sum(task.num_bytes for task in tasks), sys.stderr)

    def counted():
        for piece in tokenize_in_order(tasks, arguments.workers, settings, dtype.itemsize):
            yield piece
            progress.add(piece.num_input_bytes, len(piece.tokens) // dtype.itemsize)

    pieces = counted()
    try:
        return write_pair(prefix, pieces, dtype, tokenizer.label, tokenizer.vocab_size, end)
    finally:
        pieces.close()
        progress.close()


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="moestro_engine.data.convert")
    parser.add_argument("inputs", nargs="+", type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--tokenizer", default="bytes")
    parser.add_argument("--field", default="text")
    parser.add_argument("--workers", type=int, default=_num_processors())
    parser.add_argument("--append-eod", action="store_true")
    parser.add_argument("--eod-token")
    parser.add_argument("--overwrite", action="store_true")
    return parser.parse_args()


def _num_processors() -> int:
    """Those this process may use, where the system says so."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _describe(out: Path, written: Written) -> str:
    metadata = written.metadata
    empty = f", {written.num_empty} empty ones left out" if written.num_empty else ""
    prefix = pair_prefix(out) or out
    return (
        f"{prefix}.bin: {in_units(metadata.num_tokens)} tokens ({metadata.num_tokens}) in {metadata.num_documents} "
        f"documents{empty}; largest token {metadata.max_token}, vocabulary {metadata.vocab_size}\n"
        f"train on it with data.path: {prefix}.bin and model.vocabSize: {metadata.vocab_size}"
    )


if __name__ == "__main__":
    sys.exit(main())
