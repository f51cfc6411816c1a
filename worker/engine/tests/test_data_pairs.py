"""Token files as training data: cut, blended, read window by window, and refused when they will not do."""

import json
import os
import random
import shutil
import struct
from string import ascii_lowercase

import numpy as np
import pytest
import torch
from pairs import convert, parse_pair, write_foreign_pair, write_jsonl

from helpers import make_job
from moestro.v1 import job_pb2
from moestro_engine.data.batches import Batches
from moestro_engine.data.prepare import PreparedData, prepare_data
from moestro_engine.data.token_index import read_index
from moestro_engine.data.token_pair import fingerprint, open_pair
from moestro_engine.errors import UserError
from moestro_engine.parallel.mesh import Mesh


def pair_job(tmp_path, *sources: tuple[object, float], vocab_size=256, sequence_length=8, fraction=0.25) -> job_pb2.EngineJob:
    job = make_job(tmp_path / "cache", vocab_size=vocab_size, sequence_length=sequence_length, validation_fraction=fraction)
    if len(sources) == 1:
        job.data.text_path = str(sources[0][0])
    else:
        job.data.blend.sources.extend(job_pb2.DataSource(path=str(path), weight=weight) for path, weight in sources)
    return job


def batches(job: job_pb2.EngineJob, prepared: PreparedData, tp: int = 1, tp_rank: int = 0) -> Batches:
    return Batches(
        prepared.train_path,
        prepared.validation_path,
        job.training,
        Mesh(tp_rank, tp=tp, cp=1, dp=1, pp=1, etp=1, ep=tp, expert_dp=1),
        torch.device("cpu"),
    )


@pytest.fixture
def corpus(tmp_path):
    """800 bytes in 80 documents, of which no 8 occur twice."""
    letters = random.Random(1)
    source = write_jsonl(tmp_path / "in.jsonl", ["t" + "".join(letters.choices(ascii_lowercase, k=8)) for _ in range(80)])
    convert(source, "--out", tmp_path / "corpus", "--append-eod")
    return tmp_path / "corpus"


def test_documents_are_one_stream_and_its_end_is_for_validation(tmp_path, corpus):
    job = pair_job(tmp_path, (f"{corpus}.bin", 1))
    prepared = prepare_data(job)
    stream = [token for sequence in parse_pair(corpus).sequences for token in sequence]
    assert (prepared.report.train_tokens, prepared.report.validation_tokens) == (600, 200)
    assert prepared.report.reused
    seen = set()
    for step in range(1, 8):
        inputs, targets = batches(job, prepared).train(step)
        for row, target in zip(inputs.tolist(), targets.tolist(), strict=True):
            starts = [start for start in range(0, 592, 8) if stream[start : start + 8] == row]
            assert len(starts) == 1
            assert target == stream[starts[0] + 1 : starts[0] + 9]
            seen.update(starts)
    # 7 steps of 16 are more than the 74 windows: each was there.
    assert seen == set(range(0, 592, 8))
    inputs, _ = batches(job, prepared).validation(0)
    assert all(row in [stream[start : start + 8] for start in range(600, 792, 8)] for row in inputs.tolist())


def test_a_pair_may_be_named_by_its_prefix_or_either_file(tmp_path, corpus):
    hashes = {prepare_data(pair_job(tmp_path, (f"{corpus}{end}", 1))).report.source_hash for end in ("", ".bin", ".idx")}
    assert len(hashes) == 1


def test_the_very_tokens_of_the_text_path_come_from_a_pair_of_the_same_bytes(tmp_path):
    text = tmp_path / "one.txt"
    text.write_text("".join(f"line {i} of the text\n" for i in range(100)))
    convert(text, "--out", tmp_path / "corpus")
    by_text = pair_job(tmp_path, (text, 1))
    by_pair = pair_job(tmp_path, (tmp_path / "corpus.bin", 1))
    read_text, read_pair = batches(by_text, prepare_data(by_text)), batches(by_pair, prepare_data(by_pair))
    for step in (1, 5, 100):
        assert torch.equal(torch.stack(read_text.train(step)), torch.stack(read_pair.train(step)))


def test_pairs_and_texts_are_blended_by_weight(tmp_path, corpus):
    text = tmp_path / "other.txt"
    text.write_text("OTHER " * 100)
    job = pair_job(tmp_path, (f"{corpus}.bin", 3), (text, 1))
    prepared = prepare_data(job)
    assert prepared.report.train_tokens == 600 + 451
    inputs, _ = batches(job, prepared).train(1)
    of_text = [row for row in inputs.tolist() if bytes(row).isupper()]
    assert len(of_text) == len(inputs) // 4 == 4
    # Each tensor-parallel rank has its slice of the same sequences.
    slices = [batches(job, prepared, tp=2, tp_rank=rank).train(1)[0] for rank in (0, 1)]
    assert torch.equal(torch.cat(slices, dim=1), inputs)


def test_what_a_run_trains_on_is_known_by_content_and_weight_and_not_by_place(tmp_path, corpus):
    for ending in ("bin", "idx", "meta.json"):
        shutil.copy(f"{corpus}.{ending}", tmp_path / f"copy.{ending}")
    write_jsonl(tmp_path / "in.jsonl", [f"TEXT {i:04}" for i in range(80)])
    convert(tmp_path / "in.jsonl", "--out", tmp_path / "other", "--append-eod")

    def source_hash(*sources: tuple[object, float]) -> str:
        return prepare_data(pair_job(tmp_path, *sources)).report.source_hash

    assert source_hash((corpus, 1)) == source_hash((tmp_path / "copy", 1))
    hashes = {
        source_hash((corpus, 1)),
        source_hash((tmp_path / "other", 1)),
        source_hash((corpus, 1), (tmp_path / "other", 1)),
        source_hash((corpus, 2), (tmp_path / "other", 1)),
        source_hash((tmp_path / "other", 1), (corpus, 1)),
    }
    assert len(hashes) == 5
    assert source_hash((corpus, 0.5), (tmp_path / "other", 0.5)) in hashes


def test_the_fingerprint_is_of_both_files_with_or_without_metadata(tmp_path):
    prefix = write_foreign_pair(tmp_path / "a", [[1, 2, 3], [4, 5]])
    before = fingerprint(open_pair(prefix))
    write_foreign_pair(tmp_path / "a", [[1, 2, 3], [4, 6]])
    assert fingerprint(open_pair(prefix)) != before


@pytest.mark.parametrize(("dtype", "code"), [("<i4", 4), ("<u2", 8), ("<i8", 5), ("<i2", 3)])
def test_pairs_of_other_programs_are_read_in_all_types_and_with_documents_of_many_sequences(tmp_path, dtype, code):
    prefix = write_foreign_pair(tmp_path / "foreign", [[i, 300 + i, i] for i in range(40)], dtype, code)
    index = read_index(tmp_path / "foreign.idx")
    assert (index.num_sequences, index.num_documents, index.num_tokens) == (40, 1, 120)
    job = pair_job(tmp_path, (prefix, 1), vocab_size=340)
    inputs, targets = batches(job, prepare_data(job)).train(1)
    assert inputs.dtype == torch.int64
    assert {token % 300 for token in inputs.flatten().tolist()} <= set(range(40))
    assert torch.equal(inputs[:, 1:], targets[:, :-1])


def refusal(job: job_pb2.EngineJob) -> str:
    with pytest.raises(UserError) as caught:
        prepare_data(job)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_tokens_outside_the_vocabulary_are_named_with_file_and_position(tmp_path):
    prefix = write_foreign_pair(tmp_path / "foreign", [[1] * 70, [7, 300, -2], [1] * 20])
    told = refusal(pair_job(tmp_path, (prefix, 1), vocab_size=256))
    assert told.startswith(f"data.path: {prefix}.bin: token 300 at position 71 is not in the model's vocabulary of 256; set ")
    assert "token -2 at position 72 is not in" in refusal(pair_job(tmp_path, (prefix, 1), vocab_size=301))


def test_metadata_says_what_vocabulary_a_file_was_made_with(tmp_path, corpus):
    told = refusal(pair_job(tmp_path, (corpus, 1), vocab_size=60))
    assert "token 116 at position 0 is not in the model's vocabulary of 60" in told
    assert "; the file was made with a vocabulary of 256; set model.vocabSize to the tokenizer's, or" in told


def test_a_file_is_read_for_its_vocabulary_once_and_again_when_it_changes(tmp_path):
    prefix = write_foreign_pair(tmp_path / "foreign", [[1] * 100])
    job = pair_job(tmp_path, (prefix, 1))
    prepare_data(job)
    (note,) = (tmp_path / "cache").glob("vocabulary-*.json")
    written = note.stat().st_mtime_ns
    prepare_data(job)
    assert note.stat().st_mtime_ns == written
    write_foreign_pair(tmp_path / "foreign", [[1] * 99 + [256]])
    assert "token 256 at position 99" in refusal(job)


@pytest.mark.parametrize("change", [{"max_token": "299"}, {"max_token": True}, {"tokenizer": 7}, {"num_tokens": 800.0}])
def test_damaged_metadata_counts_as_none_and_the_tokens_are_read(tmp_path, corpus, change):
    file = corpus.with_name("corpus.meta.json")
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    assert open_pair(corpus).metadata is None
    prepare_data(pair_job(tmp_path, (corpus, 1), vocab_size=200))
    assert list((tmp_path / "cache").glob("vocabulary-*.json"))
    assert "token 116 at position 0 is not in" in refusal(pair_job(tmp_path, (corpus, 1), vocab_size=60))


def test_what_made_the_tokens_is_known_where_a_source_says_so(tmp_path, corpus):
    foreign = write_foreign_pair(tmp_path / "foreign", [[1] * 100])
    assert prepare_data(pair_job(tmp_path, (corpus, 1), (foreign, 1))).tokenizer == "bytes"
    assert prepare_data(pair_job(tmp_path, (foreign, 1))).tokenizer is None


def test_a_token_that_slipped_past_the_metadata_is_named_when_it_is_read(tmp_path):
    source = write_jsonl(tmp_path / "in.jsonl", ["x" * 100])
    convert(source, "--out", tmp_path / "corpus")
    job = pair_job(tmp_path, (tmp_path / "corpus", 1), vocab_size=200)
    prepared = prepare_data(job)
    np.memmap(tmp_path / "corpus.bin", dtype=np.uint8, mode="r+")[30] = 250
    with pytest.raises(UserError, match=r"corpus.bin: token 250 at position 30 is not in the model's vocabulary of 200"):
        batches(job, prepared).train(1)


def test_a_truncated_file_is_named_with_both_sizes(tmp_path, corpus):
    os.truncate(f"{corpus}.bin", 700)
    job = pair_job(tmp_path, (corpus, 1))
    told = f"data.path: {corpus}.bin: is truncated: expected 800 bytes by corpus.idx, found 700; copy or make the pair anew"
    assert refusal(job) == told
    with open(f"{corpus}.bin", "ab") as file:
        file.write(b"x" * 101)
    assert "is longer than its index: expected 800 bytes by corpus.idx, found 801" in refusal(job)


def test_an_index_that_is_none_is_refused(tmp_path, corpus):
    whole = (tmp_path / "corpus.idx").read_bytes()
    job = pair_job(tmp_path, (corpus, 1))
    for content, why in {
        b"PK" + whole[2:]: "is no index of a Megatron .bin: it starts with b'PKIDIDX",
        b"": "is no index of a Megatron .bin: it starts with b''",
        whole[:20]: "is cut off: 20 bytes, its header alone has 34",
        whole[:-8]: f"has {len(whole) - 8} bytes, its header tells of 80 sequences in {len(whole)} bytes",
        whole[:9] + struct.pack("<Q", 2) + whole[17:]: "is an index of version 2, moestro reads version 1",
        whole[:17] + b"\x07" + whole[18:]: "its tokens have type code 7 (float32), which holds no token numbers",
        whole[:17] + b"\x63" + whole[18:]: "its tokens have type code 99 (unknown)",
    }.items():
        (tmp_path / "corpus.idx").write_bytes(content)
        assert refusal(job).startswith(f"data.path: {corpus}.idx: {why}")


def test_half_a_pair_is_refused(tmp_path, corpus):
    os.remove(f"{corpus}.idx")
    assert refusal(pair_job(tmp_path, (f"{corpus}.bin", 1))).startswith(f"data.path: {corpus}.idx does not exist; ")
    assert "nowhere.bin does not exist" in refusal(pair_job(tmp_path, (tmp_path / "nowhere.idx", 1)))


def test_too_few_tokens_are_refused_by_source(tmp_path, corpus):
    empty = write_foreign_pair(tmp_path / "empty", [])
    assert f"data.path: {empty} gives 0 tokens for training, fewer than the 9" in refusal(pair_job(tmp_path, (empty, 1)))
    small = write_foreign_pair(tmp_path / "small", [[1] * 20])
    told = refusal(pair_job(tmp_path, (corpus, 1), (small, 1)))
    assert told.startswith(f"data.sources: {small} gives 5 tokens for validation, fewer than the 9 that one sequence needs")


def test_sources_of_different_tokenizers_are_refused(tmp_path, corpus):
    text = tmp_path / "other.txt"
    text.write_text("some text " * 20)
    notes = json.loads((tmp_path / "corpus.meta.json").read_text())
    (tmp_path / "corpus.meta.json").write_text(json.dumps(notes | {"tokenizer": "t.json 12ab"}))
    told = refusal(pair_job(tmp_path, (corpus, 1), (text, 1)))
    assert told == (
        f"data.sources: {corpus} holds tokens of tokenizer t.json 12ab, {text} of bytes; one model reads one vocabulary: "
        "prepare all sources with the same tokenizer"
    )
    assert "is text, a token a byte: it needs model.vocabSize 256 or more" in refusal(
        pair_job(tmp_path, (text, 1), (corpus, 1), vocab_size=128)
    )
