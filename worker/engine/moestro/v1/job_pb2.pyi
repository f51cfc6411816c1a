from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AuxLossForm(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AUX_LOSS_FORM_UNSPECIFIED: _ClassVar[AuxLossForm]
    AUX_LOSS_FORM_SKYWORK: _ClassVar[AuxLossForm]
    AUX_LOSS_FORM_SWITCH: _ClassVar[AuxLossForm]

class GateFunction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GATE_FUNCTION_UNSPECIFIED: _ClassVar[GateFunction]
    GATE_FUNCTION_SOFTMAX: _ClassVar[GateFunction]
    GATE_FUNCTION_SIGMOID: _ClassVar[GateFunction]

class DropPolicy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DROP_POLICY_UNSPECIFIED: _ClassVar[DropPolicy]
    DROP_POLICY_PROBS: _ClassVar[DropPolicy]
    DROP_POLICY_POSITION: _ClassVar[DropPolicy]

class Precision(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PRECISION_UNSPECIFIED: _ClassVar[Precision]
    PRECISION_FP32: _ClassVar[Precision]
    PRECISION_BF16: _ClassVar[Precision]
AUX_LOSS_FORM_UNSPECIFIED: AuxLossForm
AUX_LOSS_FORM_SKYWORK: AuxLossForm
AUX_LOSS_FORM_SWITCH: AuxLossForm
GATE_FUNCTION_UNSPECIFIED: GateFunction
GATE_FUNCTION_SOFTMAX: GateFunction
GATE_FUNCTION_SIGMOID: GateFunction
DROP_POLICY_UNSPECIFIED: DropPolicy
DROP_POLICY_PROBS: DropPolicy
DROP_POLICY_POSITION: DropPolicy
PRECISION_UNSPECIFIED: Precision
PRECISION_FP32: Precision
PRECISION_BF16: Precision

class ModelConfig(_message.Message):
    __slots__ = ("num_layers", "hidden_size", "num_heads", "num_kv_heads", "head_dim", "ffn_hidden_size", "vocab_size", "rope_theta", "rms_norm_epsilon", "tied_embeddings", "dense_layers", "dense_ffn_hidden_size", "shared_ffn_hidden_size", "shared_expert_gate")
    NUM_LAYERS_FIELD_NUMBER: _ClassVar[int]
    HIDDEN_SIZE_FIELD_NUMBER: _ClassVar[int]
    NUM_HEADS_FIELD_NUMBER: _ClassVar[int]
    NUM_KV_HEADS_FIELD_NUMBER: _ClassVar[int]
    HEAD_DIM_FIELD_NUMBER: _ClassVar[int]
    FFN_HIDDEN_SIZE_FIELD_NUMBER: _ClassVar[int]
    VOCAB_SIZE_FIELD_NUMBER: _ClassVar[int]
    ROPE_THETA_FIELD_NUMBER: _ClassVar[int]
    RMS_NORM_EPSILON_FIELD_NUMBER: _ClassVar[int]
    TIED_EMBEDDINGS_FIELD_NUMBER: _ClassVar[int]
    DENSE_LAYERS_FIELD_NUMBER: _ClassVar[int]
    DENSE_FFN_HIDDEN_SIZE_FIELD_NUMBER: _ClassVar[int]
    SHARED_FFN_HIDDEN_SIZE_FIELD_NUMBER: _ClassVar[int]
    SHARED_EXPERT_GATE_FIELD_NUMBER: _ClassVar[int]
    num_layers: int
    hidden_size: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    ffn_hidden_size: int
    vocab_size: int
    rope_theta: float
    rms_norm_epsilon: float
    tied_embeddings: bool
    dense_layers: _containers.RepeatedScalarFieldContainer[int]
    dense_ffn_hidden_size: int
    shared_ffn_hidden_size: int
    shared_expert_gate: bool
    def __init__(self, num_layers: _Optional[int] = ..., hidden_size: _Optional[int] = ..., num_heads: _Optional[int] = ..., num_kv_heads: _Optional[int] = ..., head_dim: _Optional[int] = ..., ffn_hidden_size: _Optional[int] = ..., vocab_size: _Optional[int] = ..., rope_theta: _Optional[float] = ..., rms_norm_epsilon: _Optional[float] = ..., tied_embeddings: bool = ..., dense_layers: _Optional[_Iterable[int]] = ..., dense_ffn_hidden_size: _Optional[int] = ..., shared_ffn_hidden_size: _Optional[int] = ..., shared_expert_gate: bool = ...) -> None: ...

class MoeConfig(_message.Message):
    __slots__ = ("num_experts", "top_k", "capacity_factor", "gate_normalization", "aux_loss_form", "gate_without_bias", "gate_function", "without_renormalization", "drop_policy", "without_padding", "z_loss_coefficient", "selection_bias")
    NUM_EXPERTS_FIELD_NUMBER: _ClassVar[int]
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    CAPACITY_FACTOR_FIELD_NUMBER: _ClassVar[int]
    GATE_NORMALIZATION_FIELD_NUMBER: _ClassVar[int]
    AUX_LOSS_FORM_FIELD_NUMBER: _ClassVar[int]
    GATE_WITHOUT_BIAS_FIELD_NUMBER: _ClassVar[int]
    GATE_FUNCTION_FIELD_NUMBER: _ClassVar[int]
    WITHOUT_RENORMALIZATION_FIELD_NUMBER: _ClassVar[int]
    DROP_POLICY_FIELD_NUMBER: _ClassVar[int]
    WITHOUT_PADDING_FIELD_NUMBER: _ClassVar[int]
    Z_LOSS_COEFFICIENT_FIELD_NUMBER: _ClassVar[int]
    SELECTION_BIAS_FIELD_NUMBER: _ClassVar[int]
    num_experts: int
    top_k: int
    capacity_factor: float
    gate_normalization: float
    aux_loss_form: AuxLossForm
    gate_without_bias: bool
    gate_function: GateFunction
    without_renormalization: bool
    drop_policy: DropPolicy
    without_padding: bool
    z_loss_coefficient: float
    selection_bias: bool
    def __init__(self, num_experts: _Optional[int] = ..., top_k: _Optional[int] = ..., capacity_factor: _Optional[float] = ..., gate_normalization: _Optional[float] = ..., aux_loss_form: _Optional[_Union[AuxLossForm, str]] = ..., gate_without_bias: bool = ..., gate_function: _Optional[_Union[GateFunction, str]] = ..., without_renormalization: bool = ..., drop_policy: _Optional[_Union[DropPolicy, str]] = ..., without_padding: bool = ..., z_loss_coefficient: _Optional[float] = ..., selection_bias: bool = ...) -> None: ...

class TrainingConfig(_message.Message):
    __slots__ = ("steps", "sequence_length", "global_batch_size", "learning_rate", "min_learning_rate", "warmup_steps", "weight_decay", "adam_beta1", "adam_beta2", "adam_epsilon", "clip_grad_norm", "seed", "validation_every_steps", "validation_batches", "init_std", "timeline_every_steps", "sample_bytes", "sample_prompt", "precision")
    STEPS_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_LENGTH_FIELD_NUMBER: _ClassVar[int]
    GLOBAL_BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    LEARNING_RATE_FIELD_NUMBER: _ClassVar[int]
    MIN_LEARNING_RATE_FIELD_NUMBER: _ClassVar[int]
    WARMUP_STEPS_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_DECAY_FIELD_NUMBER: _ClassVar[int]
    ADAM_BETA1_FIELD_NUMBER: _ClassVar[int]
    ADAM_BETA2_FIELD_NUMBER: _ClassVar[int]
    ADAM_EPSILON_FIELD_NUMBER: _ClassVar[int]
    CLIP_GRAD_NORM_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    VALIDATION_EVERY_STEPS_FIELD_NUMBER: _ClassVar[int]
    VALIDATION_BATCHES_FIELD_NUMBER: _ClassVar[int]
    INIT_STD_FIELD_NUMBER: _ClassVar[int]
    TIMELINE_EVERY_STEPS_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_BYTES_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_PROMPT_FIELD_NUMBER: _ClassVar[int]
    PRECISION_FIELD_NUMBER: _ClassVar[int]
    steps: int
    sequence_length: int
    global_batch_size: int
    learning_rate: float
    min_learning_rate: float
    warmup_steps: int
    weight_decay: float
    adam_beta1: float
    adam_beta2: float
    adam_epsilon: float
    clip_grad_norm: float
    seed: int
    validation_every_steps: int
    validation_batches: int
    init_std: float
    timeline_every_steps: int
    sample_bytes: int
    sample_prompt: str
    precision: Precision
    def __init__(self, steps: _Optional[int] = ..., sequence_length: _Optional[int] = ..., global_batch_size: _Optional[int] = ..., learning_rate: _Optional[float] = ..., min_learning_rate: _Optional[float] = ..., warmup_steps: _Optional[int] = ..., weight_decay: _Optional[float] = ..., adam_beta1: _Optional[float] = ..., adam_beta2: _Optional[float] = ..., adam_epsilon: _Optional[float] = ..., clip_grad_norm: _Optional[float] = ..., seed: _Optional[int] = ..., validation_every_steps: _Optional[int] = ..., validation_batches: _Optional[int] = ..., init_std: _Optional[float] = ..., timeline_every_steps: _Optional[int] = ..., sample_bytes: _Optional[int] = ..., sample_prompt: _Optional[str] = ..., precision: _Optional[_Union[Precision, str]] = ...) -> None: ...

class DataSource(_message.Message):
    __slots__ = ("path", "weight")
    PATH_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    path: str
    weight: float
    def __init__(self, path: _Optional[str] = ..., weight: _Optional[float] = ...) -> None: ...

class DataBlend(_message.Message):
    __slots__ = ("sources",)
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    sources: _containers.RepeatedCompositeFieldContainer[DataSource]
    def __init__(self, sources: _Optional[_Iterable[_Union[DataSource, _Mapping]]] = ...) -> None: ...

class DataConfig(_message.Message):
    __slots__ = ("python_standard_library", "text_path", "blend", "cache_directory", "validation_fraction")
    PYTHON_STANDARD_LIBRARY_FIELD_NUMBER: _ClassVar[int]
    TEXT_PATH_FIELD_NUMBER: _ClassVar[int]
    BLEND_FIELD_NUMBER: _ClassVar[int]
    CACHE_DIRECTORY_FIELD_NUMBER: _ClassVar[int]
    VALIDATION_FRACTION_FIELD_NUMBER: _ClassVar[int]
    python_standard_library: bool
    text_path: str
    blend: DataBlend
    cache_directory: str
    validation_fraction: float
    def __init__(self, python_standard_library: bool = ..., text_path: _Optional[str] = ..., blend: _Optional[_Union[DataBlend, _Mapping]] = ..., cache_directory: _Optional[str] = ..., validation_fraction: _Optional[float] = ...) -> None: ...

class CheckpointConfig(_message.Message):
    __slots__ = ("directory", "every_steps")
    DIRECTORY_FIELD_NUMBER: _ClassVar[int]
    EVERY_STEPS_FIELD_NUMBER: _ClassVar[int]
    directory: str
    every_steps: int
    def __init__(self, directory: _Optional[str] = ..., every_steps: _Optional[int] = ...) -> None: ...

class InitialWeights(_message.Message):
    __slots__ = ("directory", "files")
    DIRECTORY_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    directory: str
    files: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, directory: _Optional[str] = ..., files: _Optional[_Iterable[str]] = ...) -> None: ...

class EngineJob(_message.Message):
    __slots__ = ("model", "moe", "training", "data", "checkpoint", "device", "strict_control", "initial_weights")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MOE_FIELD_NUMBER: _ClassVar[int]
    TRAINING_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    STRICT_CONTROL_FIELD_NUMBER: _ClassVar[int]
    INITIAL_WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    model: ModelConfig
    moe: MoeConfig
    training: TrainingConfig
    data: DataConfig
    checkpoint: CheckpointConfig
    device: str
    strict_control: bool
    initial_weights: InitialWeights
    def __init__(self, model: _Optional[_Union[ModelConfig, _Mapping]] = ..., moe: _Optional[_Union[MoeConfig, _Mapping]] = ..., training: _Optional[_Union[TrainingConfig, _Mapping]] = ..., data: _Optional[_Union[DataConfig, _Mapping]] = ..., checkpoint: _Optional[_Union[CheckpointConfig, _Mapping]] = ..., device: _Optional[str] = ..., strict_control: bool = ..., initial_weights: _Optional[_Union[InitialWeights, _Mapping]] = ...) -> None: ...
