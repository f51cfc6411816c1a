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
        setattr(section, field, value)
    return job


def make_plan(
    job: job_pb2.EngineJob, tp: int = 1, stages: tuple[int, ...] | None = None, dp: int = 1, micro_batch: int = 4, recompute=False
) -> plan_pb2.Plan:
    """An EDP plan with these layers per stage."""
    stages = stages or (job.model.num_layers,)
    pp = len(stages)
    mode = plan_pb2.RECOMPUTE_FULL if recompute else plan_pb2.RECOMPUTE_NONE
    return plan_pb2.Plan(
        layout=plan_pb2.Layout(
            scheme=plan_pb2.SCHEME_EDP,
            tensor_parallel=tp,
            context_parallel=1,
            pipeline_parallel=pp,
            virtual_pipeline=1,
            data_parallel=dp,
            expert_parallel=tp,
            expert_tensor_parallel=1,
            expert_data_parallel=dp,
            rank_order="tp-cp-ep-dp-pp",
        ),
        stages=[
            plan_pb2.Stage(
                index=index,
                first_layer=sum(stages[:index]),
                num_layers=count,
                has_embedding=index == 0,
                has_head=index == pp - 1,
                recompute=[mode] * count,
                experts_per_rank=job.moe.num_experts // tp,
            )
            for index, count in enumerate(stages)
        ],
        schedule=plan_pb2.SCHEDULE_1F1B,
        world_size=tp * dp * pp,
        micro_batch_size=micro_batch,
        num_micro_batches=job.training.global_batch_size // (micro_batch * dp),
    )
