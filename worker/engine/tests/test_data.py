"""Text to token files: split by file, reused, rebuilt, and refused with one line."""

import errno
import os

import pytest

from helpers import make_job
from moestro.v1 import job_pb2
from moestro_engine.data import cache
from moestro_engine.data.prepare import prepare_data
from moestro_engine.data.sources import find_source, is_validation
from moestro_engine.errors import EngineError, UserError, is_user_error


def text_job(tmp_path, path, sequence_length=8, fraction=0.3) -> job_pb2.EngineJob:
    job = make_job(tmp_path / "cache", sequence_length=sequence_length, validation_fraction=fraction)
    job.data.text_path = str(path)
    return job


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "texts"
    (root / "sub").mkdir(parents=True)
    for index in range(40):
        (root / ("sub" if index % 2 else ".") / f"{index}.txt").write_text(f"text number {index}\n" * 3)
    return root


def test_every_file_is_either_for_training_or_for_validation(tmp_path, folder):
    prepared = prepare_data(text_job(tmp_path, folder))
    train = set(prepared.train_path.read_bytes().split(b"\0")) - {b""}
    validation = set(prepared.validation_path.read_bytes().split(b"\0")) - {b""}
    assert len(train) == prepared.report.train_files > 0
    assert len(validation) == prepared.report.validation_files > 0
    assert not train & validation
    assert train | validation == {file.path.read_bytes() for file in find_source(text_job(tmp_path, folder).data).files}
    assert prepared.report.train_tokens == prepared.train_path.stat().st_size


def test_a_files_side_depends_on_its_name_alone():
    chosen = [name for name in map(str, range(2000)) if is_validation(name, 0.1)]
    assert 130 < len(chosen) < 270
    assert all(is_validation(name, 0.2) for name in chosen)


def test_a_single_file_is_cut_and_its_end_is_for_validation(tmp_path):
    path = tmp_path / "one.txt"
    path.write_bytes(bytes(range(65, 85)))
    prepared = prepare_data(text_job(tmp_path, path, sequence_length=4))
    assert prepared.train_path.read_bytes() == bytes(range(65, 79)) + b"\0"
    assert prepared.validation_path.read_bytes() == bytes(range(79, 85)) + b"\0"


def test_token_files_are_used_again_until_the_text_changes(tmp_path, folder):
    job = text_job(tmp_path, folder)
    first = prepare_data(job)
    written = first.train_path.stat().st_mtime_ns
    second = prepare_data(job)
    assert (first.report.reused, second.report.reused) == (False, True)
    assert second.train_path.stat().st_mtime_ns == written
    assert second.report.source_hash == first.report.source_hash
    (folder / "0.txt").write_text("something else entirely\n")
    third = prepare_data(job)
    assert not third.report.reused
    assert third.report.source_hash != first.report.source_hash


def test_a_truncated_token_file_is_made_anew(tmp_path, folder):
    job = text_job(tmp_path, folder)
    first = prepare_data(job)
    whole = first.train_path.read_bytes()
    os.truncate(first.train_path, len(whole) // 2)
    second = prepare_data(job)
    assert not second.report.reused
    assert second.train_path.read_bytes() == whole


def test_the_standard_library_is_found_without_its_tests(tmp_path):
    names = [file.name for file in find_source(make_job(tmp_path).data).files]
    assert "argparse.py" in names
    assert not [name for name in names if "/test/" in f"/{name}" or "site-packages" in name]
    assert names == sorted(names)


def test_a_users_folder_is_read_whole_whatever_its_subfolders_are_called(tmp_path):
    for name in ("tests", "encodings"):
        (tmp_path / "texts" / name).mkdir(parents=True)
        (tmp_path / "texts" / name / "a.txt").write_text("some text")
    files = find_source(text_job(tmp_path, tmp_path / "texts").data).files
    assert [file.name for file in files] == ["encodings/a.txt", "tests/a.txt"]


def test_a_full_disk_is_no_mistake_of_the_user(tmp_path, folder, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cache, "write_index", full)
    with pytest.raises(EngineError, match="no space left in") as caught:
        prepare_data(text_job(tmp_path, folder))
    assert not is_user_error(caught.value)


def refusal(job: job_pb2.EngineJob) -> str:
    with pytest.raises(UserError) as caught:
        prepare_data(job)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_data_that_will_not_do_is_refused_with_one_line_that_says_what_to_do(tmp_path, folder):
    empty_file, empty_folder = tmp_path / "empty.txt", tmp_path / "empty"
    empty_file.touch()
    empty_folder.mkdir()
    assert refusal(text_job(tmp_path, empty_file)).startswith(f"data.path: file:{empty_file} gives 0 bytes for training")
    assert f"data.path: the folder {empty_folder} holds no files; put text files" in refusal(text_job(tmp_path, empty_folder))
    assert "does not exist" in refusal(text_job(tmp_path, tmp_path / "nowhere"))
    assert "fewer than the 100001 that one sequence needs" in refusal(text_job(tmp_path, folder, sequence_length=100_000))
    assert "for validation" in refusal(text_job(tmp_path, folder, fraction=0.0))


def test_a_cache_folder_that_cannot_be_written_is_named(tmp_path, folder):
    blocked = tmp_path / "cache"
    blocked.write_text("a file where the folder should be")
    assert str(blocked) in refusal(text_job(tmp_path, folder))
