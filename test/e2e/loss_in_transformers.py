"""Usage: loss_in_transformers.py FOLDER MANIFEST: the validation loss that Transformers computes for an exported model.

The batches are those that the run behind the manifest validated on; the mean loss in nats a token is printed.
"""

import json
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from google.protobuf import json_format
from moestro.v1 import job_pb2, plan_pb2
from moestro_engine.data.batches import Batches
from moestro_engine.data.prepare import prepare_data
from moestro_engine.parallel.mesh import mesh_of
from transformers import AutoModelForCausalLM

folder, manifest = map(Path, sys.argv[1:])
job = json_format.ParseDict(
    json.loads(manifest.read_text())["job"], job_pb2.EngineJob()
)
data = prepare_data(job)
axes = [
    "tensor",
    "context",
    "pipeline",
    "data",
    "expert",
    "expert_tensor",
    "expert_data",
]
layout = plan_pb2.Layout(
    scheme=plan_pb2.SCHEME_EDP,
    virtual_pipeline=1,
    **{f"{axis}_parallel": 1 for axis in axes},
)
mesh = mesh_of(plan_pb2.Plan(layout=layout, world_size=1), 0)
batches = Batches(
    data.train_path, data.validation_path, job.training, mesh, torch.device("cpu")
)
model = AutoModelForCausalLM.from_pretrained(folder).eval()
total, count = 0.0, 0
for batch in range(job.training.validation_batches):
    inputs, targets = batches.validation(batch)
    with torch.no_grad():
        logits = model(inputs.long()).logits
    total += F.cross_entropy(
        logits.flatten(0, 1), targets.long().flatten(), reduction="sum"
    ).item()
    count += targets.numel()
print(total / count)
