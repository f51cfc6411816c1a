"""Drawing a byte from the model's logits, and no byte from a model of other tokens."""

import torch
from agent import Agent
from pairs import write_foreign_pair

from helpers import make_job, make_plan
from moestro_engine.training.sample import draw_byte, why_not_sampled


def test_only_bytes_are_drawn_however_large_the_vocabulary():
    logits = torch.zeros(1000)
    logits[256:] = 50.0
    points = torch.linspace(0, 1, 257, dtype=torch.float64)[:-1] + 1e-4
    assert [draw_byte(logits, point[None]) for point in points] == list(range(256))
    assert draw_byte(logits, torch.tensor([1 - 1e-16], dtype=torch.float64)) == 255


def test_text_is_drawn_from_tokens_that_are_bytes_only():
    assert why_not_sampled("bytes") == ""
    assert why_not_sampled("tokenizer.json sha256:1f") == (
        "no text is sampled: that takes a token a byte, and the data's tokens are of tokenizer tokenizer.json sha256:1f; "
        "training.sampleBytes 0 asks for none"
    )


def test_a_run_on_tokens_of_unknown_making_says_why_it_samples_nothing(tmp_path):
    sizes = {"num_layers": 1, "sequence_length": 16, "global_batch_size": 1, "steps": 1}
    job = make_job(tmp_path / "cache", **sizes, vocab_size=400, sample_bytes=5, sample_prompt="def ", validation_fraction=0.5)
    job.data.text_path = str(write_foreign_pair(tmp_path / "foreign", [[399] * 100]))
    (end,) = Agent(job, make_plan(job, micro_batch=1)).run()
    assert end.exit_code == 0, end.stderr
    (sample,) = end.of("sample")
    assert sample.text == b""
    assert sample.skipped.startswith("no text is sampled: that takes a token a byte, and the data's tokens do not say what")
