"""The engine's model, one training pass: kernels against the plain path in fp32, and bf16 against fp32."""

from pathlib import Path

import torch
import torch.nn.functional as F
from helpers import make_job, make_plan
from moestro_engine.kernels.select import forced
from moestro_engine.model.balance import StepBalance
from moestro_engine.model.transformer import StageModel

# Other orders of summing; bf16 has 8 bits.
TOLERANCE = {"float32": 1e-4, "bfloat16": 2e-2}


def check_engine(device: torch.device, sizes) -> list[dict[str, object]]:
    """Dropless and with a capacity: loss and gradient norm, and in fp32 the whole gradient, relative to plain fp32."""
    found = []
    for factor in (0.0, 1.25):
        loss, gradient = _pass(device, "plain", torch.float32, factor, sizes)
        for dtype in (torch.float32, torch.bfloat16):
            own_loss, own = _pass(device, "triton", dtype, factor, sizes)
            norm = gradient.norm()
            away = [abs(own_loss / loss - 1), (own.norm() / norm - 1).abs().item()]
            if dtype == torch.float32:
                # In bf16 tokens on the edge go to another expert, which is no error.
                away.append(((own - gradient).norm() / norm).item())
            name = str(dtype).removeprefix("torch.")
            entry = {"what": "engine, one pass", "dtype": name}
            entry["sizes"] = f"capacity {factor}" if factor else "dropless"
            entry |= {"difference": max(away), "tolerance": TOLERANCE[name]}
            found.append(entry | {"passed": max(away) <= TOLERANCE[name]})
    return found


def make_model(
    job, dtype: torch.dtype, device: torch.device, init_std: float
) -> StageModel:
    """The whole model on one device with random weights, ready to train."""
    plan = make_plan(job, micro_batch=1)
    with torch.device(device):
        model = StageModel(job, plan.stages[0])
    torch.manual_seed(1)
    for name, parameter in model.named_parameters():
        if name.endswith("norm.weight"):
            torch.nn.init.ones_(parameter)
        else:
            # Drawn on the CPU: the same weights on every device.
            parameter.data.copy_(init_std * torch.randn(parameter.shape))
    model.to(dtype)
    balance = StepBalance(job.model.num_layers, job.moe, 1.0, device)
    balance.coefficient_L.fill_(0.01)
    model.prepare(job.training.sequence_length, balance, device)
    for layer in model.layers.values():
        # Rotary tables are fp32, and one attention takes one type.
        layer.attention.register_forward_pre_hook(
            lambda _module, given: (
                given[0],
                *(t.to(given[0].dtype) if torch.is_tensor(t) else t for t in given[1:]),
            )
        )
    return model


def _pass(device, form: str, dtype: torch.dtype, factor: float, sizes):
    """The loss, and the gradient of all parameters as one fp32 vector."""
    batch, length = sizes.engine_pass
    job = make_job(Path("."), capacity_factor=factor, sequence_length=length)
    model = make_model(job, dtype, device, init_std=0.02)
    generator = torch.Generator().manual_seed(2)
    tokens = torch.randint(256, (batch, length + 1), generator=generator).to(device)
    with forced(form):
        logits = model(tokens[:, :-1])
        loss = F.cross_entropy(logits.float().flatten(0, 1), tokens[:, 1:].flatten())
        loss.backward()
    return loss.item(), torch.cat(
        [p.grad.float().flatten() for p in model.parameters()]
    )
