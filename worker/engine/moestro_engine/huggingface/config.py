"""The config.json of a model of ours, if Mixtral's or Llama's can say what it computes."""

from moestro.v1 import job_pb2
from moestro_engine.errors import UserError
from moestro_engine.huggingface.names import Family


def family_of(job: job_pb2.EngineJob) -> Family:
    """One expert that every token goes to is a dense network: that is Llama's format, all else Mixtral's."""
    return "llama" if job.moe.num_experts == 1 else "mixtral"


def config_of(job: job_pb2.EngineJob, dtype: str) -> dict:
    """The config as Transformers writes it; UserError naming the setting that it has no word for."""
    family = family_of(job)
    if family == "mixtral" and job.moe.gate_normalization != 0:
        raise UserError(
            f"moe.gateNormalization: {job.moe.gate_normalization:g}, and Mixtral's gate does not normalise its logits; "
            "only a model trained with moe.gateNormalization: false can be exported"
        )
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
