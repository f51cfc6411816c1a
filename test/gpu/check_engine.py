"""The engine's gradients on kernels, in fp32 and bf16, against the plain model's in fp32 by autograd alone."""

from pathlib import Path

import torch
import torch.nn.functional as F
from helpers import make_job
from moestro.v1 import job_pb2
from moestro_engine.kernels.select import forced
from one_rank import one_rank

# Other orders of summing; bf16 has 8 bits.
TOLERANCE = {"float32": 1e-4, "bfloat16": 2e-2}
PRECISIONS = {
    "float32": job_pb2.PRECISION_FP32,
    "bfloat16": job_pb2.PRECISION_BF16,
}


def check_engine(device: torch.device, sizes) -> list[dict[str, object]]:
    """Dropless and with a capacity: loss and gradient norm, and in fp32 the whole gradient, relative to plain fp32."""
    found = []
    for factor in (0.0, 1.25):
        loss, gradient = _plain(device, factor, sizes)
        norm = gradient.norm()
        for name in PRECISIONS:
            own_loss, own_norm, own = _engine(device, name, factor, sizes)
            away = [abs(own_loss / loss - 1), abs(own_norm / norm.item() - 1)]
            if name == "float32":
                # In bf16 tokens on the edge go to another expert, which is no error.
                away.append(((own - gradient).norm() / norm).item())
            entry = {"what": "engine, one batch", "dtype": name}
            entry["sizes"] = f"capacity {factor}" if factor else "dropless"
            entry |= {"difference": max(away), "tolerance": TOLERANCE[name]}
            found.append(entry | {"passed": max(away) <= TOLERANCE[name]})
    return found


def _plain(device, factor: float, sizes) -> tuple[float, torch.Tensor]:
    """Loss and gradient of the model's plain code, one sequence after the other, without schedule and loss of the engine."""
    job, token_BS = _case(device, "float32", factor, sizes)
    with one_rank(job, 1, device) as rank, forced("plain"):
        rank.state.zero_gradients()
        total = 0.0
        for token_S in token_BS:
            logits_SV = rank.model(token_S[None, :-1])[0]
            loss = F.cross_entropy(logits_SV, token_S[1:]) / len(token_BS)
            loss.backward()
            total += loss.item()
        return total, rank.state.gradients.double()


def _engine(device, precision: str, factor: float, sizes):
    """Loss, gradient norm, and the gradient of all parameters as one vector, fp64 so that its norm is exact enough."""
    job, token_BS = _case(device, precision, factor, sizes)
    with one_rank(job, 1, device) as rank, forced("triton"):
        return *rank.gradients(token_BS), rank.state.gradients.double()


def _case(device, precision: str, factor: float, sizes):
    """A job and its global batch."""
    batch, length = sizes.engine_pass
    job = make_job(
        Path("."),
        capacity_factor=factor,
        sequence_length=length,
        global_batch_size=batch,
        precision=PRECISIONS[precision],
        init_std=0.02,
    )
    generator = torch.Generator().manual_seed(2)
    return job, torch.randint(256, (batch, length + 1), generator=generator).to(device)
