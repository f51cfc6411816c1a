"""Jobs and plans for tests: the demo's, read from its job file, with the layout a test asks for."""

import re
from pathlib import Path

from moestro.v1 import job_pb2, plan_pb2

QUICKSTART = Path(__file__).parents[3] / "examples" / "quickstart.yaml"


def quickstart_values() -> dict[str, float]:
    """The numbers in the demo's job file by key; the file has every number on a line of its own, at most once."""
    pairs = re.findall(r"^\s+(\w+): ([-\d.e]+)\s*(?:#.*)?$", QUICKSTART.read_text(), re.MULTILINE)
    return {key: float(value) for key, value in pairs}


def make_job(cache: Path, **changes) -> job_pb2.EngineJob:
    """The demo's job, with the schema's defaults where the file is silent; ``changes`` set fields by name."""
    values = quickstart_values()
    hidden, heads = int(values["hiddenSize"]), int(values["heads"])
    job = job_pb2.EngineJob(
        model=job_pb2.ModelConfig(
            num_layers=int(values["layers"]),
            hidden_size=hidden,
            num_heads=heads,
            num_kv_heads=int(values["kvHeads"]),
            head_dim=hidden // heads,
            ffn_hidden_size=int(values["ffnHiddenSize"]),
            vocab_size=256,
            rope_theta=10000,
            rms_norm_epsilon=1e-6,
        ),
        moe=job_pb2.MoeConfig(
            num_experts=int(values["experts"]),
            top_k=int(values["topK"]),
            capacity_factor=values["capacityFactor"],
            gate_normalization=values["gateNormalization"],
            aux_loss_form=job_pb2.AUX_LOSS_FORM_SKYWORK,
        ),
        training=job_pb2.TrainingConfig(
            steps=int(values["steps"]),
            sequence_length=int(values["sequenceLength"]),
            global_batch_size=int(values["globalBatchSize"]),
            learning_rate=values["learningRate"],
            min_learning_rate=values["minLearningRate"],
            warmup_steps=int(values["warmupSteps"]),
            weight_decay=0.1,
            adam_beta1=0.9,
            adam_beta2=0.95,
            adam_epsilon=1e-8,
            clip_grad_norm=1.0,
            seed=1,
            validation_batches=1,
            init_std=values["initStd"],
        ),
        data=job_pb2.DataConfig(python_standard_library=True, cache_directory=str(cache), validation_fraction=0.05),
        device="cpu",
    )
    for field, value in changes.items():
        section = next((s for s in (job.model, job.moe, job.training, job.data, job.checkpoint) if hasattr(s, field)), job)
        if isinstance(value, list):
            getattr(section, field).extend(value)
        else:
            setattr(section, field, value)
    return job


MODES = {"none": plan_pb2.RECOMPUTE_NONE, "selective": plan_pb2.RECOMPUTE_SELECTIVE, "full": plan_pb2.RECOMPUTE_FULL}


def make_plan(
    job: job_pb2.EngineJob,
    tp: int = 1,
    stages: tuple[int, ...] | None = None,
    dp: int = 1,
    micro_batch: int = 4,
    recompute: bool | tuple[str, ...] = False,
    cp: int = 1,
    ep: int | None = None,
    etp: int = 1,
    vpp: int = 1,
    schedule: str = "1F1B",
    sharding: str = "UNSPECIFIED",
) -> plan_pb2.Plan:
    """A plan with these layers per stage; without ``ep`` its scheme is EDP.

    ``recompute`` is one mode for all layers (True: full) or a tuple of modes that the layers walk through
    again and again.
    """
    stages = stages or (job.model.num_layers,)
    pp, ep = len(stages) // vpp, ep or tp
    modes = recompute if isinstance(recompute, tuple) else ("full" if recompute else "none",)
    walks_back = schedule == "DUALPIPEV"
    return plan_pb2.Plan(
        layout=plan_pb2.Layout(
            scheme=plan_pb2.SCHEME_EDP if ep == tp and etp == 1 else plan_pb2.SCHEME_FOLDED,
            tensor_parallel=tp,
            context_parallel=cp,
            pipeline_parallel=pp,
            virtual_pipeline=vpp,
            data_parallel=dp,
            expert_parallel=ep,
            expert_tensor_parallel=etp,
            expert_data_parallel=tp * cp * dp // (ep * etp),
            rank_order="tp-cp-ep-dp-pp",
        ),
        stages=[
            plan_pb2.Stage(
                index=index,
                first_layer=sum(stages[:index]),
                num_layers=count,
                has_embedding=index == 0,
                has_head=index == len(stages) - 1,
                recompute=[MODES[modes[layer % len(modes)]] for layer in range(sum(stages[:index]), sum(stages[: index + 1]))],
                experts_per_rank=job.moe.num_experts // ep,
                pipeline_rank=2 * pp - 1 - index if walks_back and index >= pp else index % pp,
            )
            for index, count in enumerate(stages)
        ],
        schedule=plan_pb2.Schedule.Value(f"SCHEDULE_{schedule}"),
        world_size=tp * cp * dp * pp,
        micro_batch_size=micro_batch,
        num_micro_batches=job.training.global_batch_size // (micro_batch * dp),
        optimizer_sharding=plan_pb2.OptimizerSharding.Value(f"OPTIMIZER_SHARDING_{sharding}"),
    )
