"""Text, JSONL and Parquet into token files: what is in them, on any number of workers, and what is refused."""

import contextlib
import json
import os
import pty
import re
import resource
import signal
import subprocess
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pairs import CONVERTER, convert, parse_pair, run_converter, write_jsonl
from spawn import environment
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from moestro_engine.data.convert import tasks
from moestro_engine.data.convert.documents import read_documents
from moestro_engine.data.convert.progress import in_time, in_units
from moestro_engine.data.convert.tokenizer import FileTokenizer, token_dtype

DOCUMENTS = ["a first text", "zweiter Text, größer", "", "dritter\nmit Zeilen", "last 🙂"]
WRITTEN = [text.encode() for text in DOCUMENTS if text]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory) -> Path:
    """A byte-level BPE of 300 tokens, trained here."""
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<|endoftext|>"], initial_alphabet=alphabet, show_progress=False
    )
    trained.train_from_iterator(["the cat and the hat and the bat"] * 3, trainer)
    # Settings of its last user; a corpus is neither cut nor padded.
    trained.enable_truncation(4)
    trained.enable_padding(length=64)
    trained.save(str(path))
    return path


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "folder"])
def test_the_documents_of_every_kind_of_input_are_written_in_order_and_empty_ones_left_out(tmp_path, kind):
    if kind == "jsonl":
        source = write_jsonl(tmp_path / "in.jsonl", DOCUMENTS)
    elif kind == "parquet":
        source = tmp_path / "in.parquet"
        pyarrow.parquet.write_table(pyarrow.table({"id": range(5), "text": DOCUMENTS}), source, row_group_size=2)
    else:
        source = tmp_path / "in"
        source.mkdir()
        for number, text in enumerate(DOCUMENTS):
            (source / f"{number}.txt").write_text(text)
    told = convert(source, "--out", tmp_path / "out" / "corpus")
    pair = parse_pair(tmp_path / "out" / "corpus")
    assert [bytes(sequence) for sequence in pair.sequences] == WRITTEN
    assert pair.marks == [0, 1, 2, 3, 4]
    assert pair.dtype_code == 1
    assert "in 4 documents, 1 empty ones left out" in told
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["corpus.bin", "corpus.idx", "corpus.meta.json"]


def test_inputs_of_several_kinds_follow_each_other_as_they_were_named(tmp_path):
    (tmp_path / "b.txt").write_text("text b")
    (tmp_path / "a.txt").write_text("text a")
    rows = write_jsonl(tmp_path / "c.jsonl", ["one", "two"], field="content")
    convert(tmp_path / "b.txt", rows, tmp_path / "a.txt", "--field", "content", "--append-eod", "--out", tmp_path / "out")
    written = [bytes(sequence) for sequence in parse_pair(tmp_path / "out").sequences]
    assert written == [b"text b\0", b"one\0", b"two\0", b"text a\0"]


def test_a_hugging_face_tokenizer_writes_its_own_tokens_without_cutting_padding_or_adding(tmp_path, tokenizer):
    source = write_jsonl(tmp_path / "in.jsonl", ["the cat and the hat", "größer"])
    convert(source, "--out", tmp_path / "out", "--tokenizer", tokenizer, "--append-eod")
    plain = Tokenizer.from_file(str(tokenizer))
    plain.no_truncation()
    plain.no_padding()
    end = plain.token_to_id("<|endoftext|>")
    pair = parse_pair(tmp_path / "out")
    assert pair.sequences == [[*plain.encode(text).ids, end] for text in ("the cat and the hat", "größer")]
    assert pair.dtype_code == 8
    notes = json.loads((tmp_path / "out.meta.json").read_text())
    assert notes["vocab_size"] == plain.get_vocab_size()
    assert notes["max_token"] == max(map(max, pair.sequences))
    assert (notes["end_of_document"], notes["num_documents"]) == (end, 2)


def test_any_number_of_workers_writes_the_same_bytes(tmp_path, tokenizer):
    # Three pieces of work and a bit.
    texts = [f"the cat number {i} and the hat " * (i % 90) for i in range(7000)]
    source = write_jsonl(tmp_path / "in.jsonl", texts)
    assert len(tasks.make_tasks([source], "text")) > 2
    for workers in (1, 2, 5):
        convert(source, "--out", tmp_path / f"out{workers}", "--workers", workers, "--append-eod")
    for ending in ("bin", "idx", "meta.json"):
        contents = {(tmp_path / f"out{workers}.{ending}").read_bytes() for workers in (1, 2, 5)}
        assert len(contents) == 1


LINES = st.lists(
    st.tuples(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), st.sampled_from(["\n", "\r\n", "\n\n"]))
)


@given(LINES, st.integers(1, 50), st.booleans())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_pieces_of_a_jsonl_file_hold_every_line_once_wherever_they_are_cut(tmp_path, lines, piece_bytes, open_end):
    file = tmp_path / "in.jsonl"
    content = "".join(json.dumps({"text": text}, ensure_ascii=False) + end for text, end in lines).encode()
    file.write_bytes(content.rstrip() if open_end else content)
    size = file.stat().st_size
    pieces = [
        tasks.Task("jsonl", (str(file),), 0, first, min(first + piece_bytes, size)) for first in range(0, size, piece_bytes)
    ]
    found = [document for piece in pieces for document in read_documents(piece, "text", must_be_utf8=True)]
    assert found == [text.encode() for text, _ in lines]


def test_tokens_are_stored_as_small_as_megatron_reads_them():
    assert [token_dtype(size).name for size in (256, 257, 65499, 65500, 150_000)] == [
        *("uint8", "uint16", "uint16", "int32", "int32")
    ]


def refusal(exit_code: int, *arguments: object, **options) -> str:
    ended = run_converter(*arguments, **options)
    assert ended.returncode == exit_code, ended
    lines = [line for line in ended.stderr.splitlines() if "% " not in line]
    assert len(lines) == 1, ended.stderr
    return lines[0].removeprefix("data prepare: ")


def test_bad_lines_of_jsonl_are_named_by_file_and_line(tmp_path):
    file, out = tmp_path / "in.jsonl", tmp_path / "out"
    good = '{"text": "good"}\n'
    for line, why in {
        '{"body": "x", "id": 1}': "there is no field text; its fields: body, id; name one as --field",
        '{"text": "x"': "is no JSON: Expecting ',' delimiter; every line has to be one JSON object",
        '["x"]': "is a list, not a JSON object with a field text",
        '{"text": 3}': "field text is a number, not text",
        '{"text": "\\ud800"}': "field text holds half of a surrogate pair at character 0; correct it",
    }.items():
        file.write_text(good * 2 + "\n" + line + "\n" + good)
        assert refusal(2, file, "--out", out) == f"{file}:4: {why}"
    file.write_bytes(good.encode() + b'{"text": "\xff"}')
    assert refusal(2, file, "--out", out).startswith(f"{file}:2: is no JSON: it is not UTF-8")
    assert list(tmp_path.iterdir()) == [file]


def test_a_bad_line_far_into_the_file_has_its_own_number(tmp_path):
    file = tmp_path / "in.jsonl"
    line = json.dumps({"text": "x" * 1000}) + "\n"
    file.write_text(line * 9000 + "{}\n" + line)
    assert refusal(2, file, "--out", tmp_path / "out", "--workers", 2).startswith(f"{file}:9001: there is no field text")


def test_parquet_that_will_not_do_is_named(tmp_path):
    file, out = tmp_path / "in.parquet", tmp_path / "out"
    file.write_bytes(b"no such thing")
    assert refusal(2, file, "--out", out).startswith(f"{file}: cannot be read as Parquet: ")
    pyarrow.parquet.write_table(pyarrow.table({"id": [1], "body": ["x"]}), file)
    assert refusal(2, file, "--out", out) == f"{file}: there is no column text; it has id, body; name one as --field"
    assert "column id holds int64, not text" in refusal(2, file, "--out", out, "--field", "id")
    # Damaged behind its footer: found by the worker that reads it.
    pyarrow.parquet.write_table(pyarrow.table({"text": [f"text {i}" for i in range(1000)]}), file, compression="zstd")
    damaged = bytearray(file.read_bytes())
    damaged[4:400] = b"\xff" * 396
    file.write_bytes(damaged)
    assert refusal(2, file, "--out", out).startswith(f"{file}: cannot be read as Parquet: ")


def test_inputs_without_text_are_refused(tmp_path):
    empty, out = tmp_path / "in.jsonl", tmp_path / "out"
    empty.touch()
    nothing = "the inputs hold no text, so there is nothing to write; name others"
    assert refusal(2, empty, "--out", out) == nothing
    write_jsonl(empty, ["", ""])
    assert refusal(2, empty, "--out", out) == nothing
    (tmp_path / "folder").mkdir()
    assert "holds no files" in refusal(2, tmp_path / "folder", "--out", out)
    assert "does not exist" in refusal(2, tmp_path / "nowhere", "--out", out)
    (tmp_path / "x.jsonl.gz").touch()
    assert "is compressed; decompress it first" in refusal(2, tmp_path / "x.jsonl.gz", "--out", out)


def test_a_tokenizer_that_will_not_do_is_refused(tmp_path, tokenizer):
    source, out = write_jsonl(tmp_path / "in.jsonl", ["x"]), tmp_path / "out"
    assert "nowhere.json does not exist; name a tokenizer.json, or bytes" in refusal(
        2, source, "--out", out, "--tokenizer", "nowhere.json"
    )
    assert "is no tokenizer.json" in refusal(2, source, "--out", out, "--tokenizer", source)
    unnamed = tmp_path / "plain.json"
    Tokenizer(models.WordLevel({"x": 0}, unk_token="x")).save(str(unnamed))
    told = refusal(2, source, "--out", out, "--tokenizer", unnamed, "--append-eod")
    assert told.endswith("has no token that usually ends a document; name one of its tokens as --eod-token")
    convert(source, "--out", out, "--tokenizer", unnamed, "--append-eod", "--eod-token", "x")
    (tmp_path / "bad.txt").write_bytes(b"abc\xff")
    assert f"{tmp_path / 'bad.txt'}: byte 3 is not UTF-8" in refusal(
        2, tmp_path / "bad.txt", "--out", tmp_path / "other", "--tokenizer", tokenizer
    )


def test_the_vocabulary_counts_from_the_largest_token_where_numbers_are_left_out(tmp_path):
    path = tmp_path / "holes.json"
    Tokenizer(models.WordLevel({"x": 0, "y": 999}, unk_token="x")).save(str(path))
    assert FileTokenizer(path).vocab_size == 1000


@pytest.mark.parametrize(("package", "arguments"), [("tokenizers", ["--tokenizer", "t.json"]), ("pyarrow", [])])
def test_a_package_that_is_not_installed_is_named_with_the_command_that_installs_it(tmp_path, package, arguments):
    source = tmp_path / "in.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"text": ["x"]}), source)
    program = (
        f"import sys, runpy; sys.modules['{package}'] = None; runpy.run_module('moestro_engine.data.convert', None, '__main__')"
    )
    command = [CONVERTER[0], "-c", program, str(source), "--out", str(tmp_path / "out"), *arguments]
    ended = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert ended.returncode == 4
    line = f"data prepare: .+: needs the Python package {package}, which (.+) lacks; install it: \\1 -m pip install {package}\n"
    assert re.fullmatch(line, ended.stderr), ended.stderr


def test_files_that_are_there_stay_unless_told_otherwise(tmp_path):
    source, out = write_jsonl(tmp_path / "in.jsonl", ["first"]), tmp_path / "out"
    convert(source, "--out", out)
    write_jsonl(source, ["second"])
    assert "out.bin is there already; name another prefix, or give --overwrite" in refusal(2, source, "--out", out)
    convert(source, "--out", f"{out}.bin", "--overwrite")
    assert [bytes(sequence) for sequence in parse_pair(out).sequences] == [b"second"]


def test_a_folder_is_not_read_for_what_was_written_into_it(tmp_path):
    (tmp_path / "a.txt").write_text("text")
    for _ in range(2):
        convert(tmp_path, "--out", tmp_path / "out", "--overwrite")
        assert [bytes(sequence) for sequence in parse_pair(tmp_path / "out").sequences] == [b"text"]


def test_a_disk_that_fills_up_leaves_nothing_behind(tmp_path):
    source = tmp_path / "in.txt"
    source.write_bytes(b"x" * 200_000)
    out = tmp_path / "out"
    out.mkdir()
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))  # noqa: E731
    told = refusal(4, source, "--out", out / "corpus", preexec_fn=limit)
    assert told == f"{out / 'corpus'}: File too large; free some or write elsewhere; nothing was written"
    assert list(out.iterdir()) == []


def waiting_converter(tmp_path) -> tuple[subprocess.Popen, int]:
    """A conversion whose only worker waits for the text of a pipe, and the pipe's other end."""
    pipe = tmp_path / "in.txt"
    os.mkfifo(pipe)
    (tmp_path / "out").mkdir()
    command = [*CONVERTER, str(pipe), "--out", str(tmp_path / "out" / "corpus")]
    process = subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True)
    # Returns once the worker has opened the pipe.
    return process, os.open(pipe, os.O_WRONLY)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_conversion_leaves_nothing_behind(tmp_path, number):
    process, pipe = waiting_converter(tmp_path)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=60)
    os.close(pipe)
    assert (process.returncode, stderr) == (130, "data prepare: interrupted; nothing was written\n")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_worker_that_is_killed_ends_the_conversion_with_its_cause(tmp_path):
    process, pipe = waiting_converter(tmp_path)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len(children) == 1
    os.kill(int(children[0]), signal.SIGKILL)
    _, stderr = process.communicate(timeout=60)
    os.close(pipe)
    assert process.returncode == 4
    assert "the worker that read it was ended by signal 9, perhaps for lack of memory; use fewer --workers" in stderr
    assert list((tmp_path / "out").iterdir()) == []


def test_progress_is_a_bar_on_a_terminal_and_lines_elsewhere(tmp_path):
    sources = [write_jsonl(tmp_path / f"{i}.jsonl", ["some text"] * 50) for i in range(20)]
    ended = run_converter(*sources, "--out", tmp_path / "plain")
    lines = ended.stderr.splitlines()
    assert len(lines) == 10
    assert all(re.fullmatch(r"data prepare: +\d+%  .+ tokens  .+ tokens/s  .+ left", line) for line in lines)
    ours, theirs = pty.openpty()
    command = [*CONVERTER, *map(str, sources), "--out", str(tmp_path / "bar")]
    subprocess.run(command, env=environment(), stdout=subprocess.DEVNULL, stderr=theirs, check=True, timeout=100)
    os.close(theirs)
    chunks = []
    # A terminal that nobody has open any more ends with an error.
    with contextlib.suppress(OSError):
        while True:
            chunks.append(os.read(ours, 1 << 16))
    drawn = b"".join(chunks).decode()
    os.close(ours)
    assert "\r\x1b[K" + "█" * 30 + " 100%  9.00 K tokens" in drawn
    assert drawn.endswith("\r\x1b[K")
    assert "\n" not in drawn


def test_figures_are_short():
    assert [in_units(n) for n in (0, 999, 1000, 1234, 12_345, 123_456, 999_600, 2.5e9)] == [
        *("0", "999", "1.00 K", "1.23 K", "12.3 K", "123 K", "1.00 M", "2.50 G")
    ]
    assert [in_time(s) for s in (0.4, 59, 125, 3725)] == ["0 s", "59 s", "2:05 min", "1:02 h"]
