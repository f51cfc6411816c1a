"""The config.json of a model of ours, if Mixtral's or Llama's can say what it computes."""

from moestro.v1 import job_pb2
from moestro_engine.errors import UserError
from moestro_engine.huggingface.names import Family


def family_of(job: job_pb2.EngineJob) -> Family:
    """One expert that every token goes to is a dense network: that is Llama's format, all else Mixtral's."""
    return "llama" if job.moe.num_experts == 1 else "mixtral"


def _refuse_unlike(job: job_pb2.EngineJob, family: Family) -> None:
    """UserError for the first setting that the family's models do not have."""
    model, moe = job.model, job.moe
    name = family.capitalize()
    is_sigmoid = moe.gate_function == job_pb2.GATE_FUNCTION_SIGMOID
    # A lone expert's weight is 1, but for a sigmoid that is taken as it is.
    weighs = family == "mixtral" or (is_sigmoid and moe.without_renormalization)
    layers = ", ".join(map(str, model.dense_layers))
    unlike = [
        (model.dense_layers, "model.denseLayers", layers, "has experts in every layer or in none", "0"),
        (model.shared_ffn_hidden_size, "model.sharedFfnHiddenSize", model.shared_ffn_hidden_size, "has no shared experts", "0"),
        (weighs and is_sigmoid, "moe.gateFunction", "sigmoid", "has a softmax for a gate", "softmax"),
        (weighs and moe.without_renormalization, "moe.renormalize", "false", "divides weights by their sum", "true"),
        (weighs and moe.selection_bias, "moe.balancing", "bias", "has no bias in the choice of experts", "fixed"),
        (
            weighs and moe.gate_normalization,
            "moe.gateNormalization",
            f"{moe.gate_normalization:g}",
            "does not normalise its gate's logits",
            "false",
        ),
    ]
    for differs, setting, value, otherwise, remedy in unlike:
        if differs:
            raise UserError(
                f"{setting}: {value}, and {name} {otherwise}; only a model trained with {setting}: {remedy} can be exported"
            )


def config_of(job: job_pb2.EngineJob, dtype: str) -> dict:
    """The config as Transformers writes it; UserError naming the setting that it has no word for."""
    family = family_of(job)
    _refuse_unlike(job, family)
    model = job.model
    common = {
        "architectures": ["MixtralForCausalLM" if family == "mixtral" else "LlamaForCausalLM"],
        "model_type": family,
        "vocab_size": model.vocab_size,
        "hidden_size": model.hidden_size,
        "intermediate_size": model.ffn_hidden_size,
        "num_hidden_layers": model.num_layers,
        "num_attention_heads": model.num_heads,
        "num_key_value_heads": model.num_kv_heads,
        "head_dim": model.head_dim,
        "hidden_act": "silu",
        "max_position_embeddings": job.training.sequence_length,
        "rms_norm_eps": model.rms_norm_epsilon,
        # Transformers 4 reads the first, 5 the second.
        "rope_theta": model.rope_theta,
        "rope_parameters": {"rope_type": "default", "rope_theta": model.rope_theta},
        "attention_dropout": 0.0,
        "tie_word_embeddings": model.tied_embeddings,
        "bos_token_id": None,
        "eos_token_id": None,
        "pad_token_id": None,
        "torch_dtype": dtype,
    }
    if family == "llama":
        return common | {"attention_bias": False, "mlp_bias": False}
    experts = {"num_local_experts": job.moe.num_experts, "num_experts_per_tok": job.moe.top_k}
    return common | experts | {"sliding_window": None, "output_router_logits": False}
