"""Linear warm-up, then a cosine down to the minimum."""

import math

from moestro.v1 import job_pb2


def learning_rate(step: int, training: job_pb2.TrainingConfig) -> float:
    """The rate of a one-based step: peak at the end of the warm-up, minimum at the last step."""
    peak, floor = training.learning_rate, training.min_learning_rate
    if step <= training.warmup_steps:
        return peak * step / training.warmup_steps
    decay_steps = max(1, training.steps - training.warmup_steps)
    progress = min(1.0, (step - training.warmup_steps) / decay_steps)
    return floor + (peak - floor) * 0.5 * (1 + math.cos(math.pi * progress))
