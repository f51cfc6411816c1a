from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LayerReport(_message.Message):
    __slots__ = ("layer", "routed", "dropped", "aux_loss_sum", "aux_loss_count", "aux_coefficient", "z_loss_sum", "expert_similarity")
    LAYER_FIELD_NUMBER: _ClassVar[int]
    ROUTED_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    AUX_LOSS_SUM_FIELD_NUMBER: _ClassVar[int]
    AUX_LOSS_COUNT_FIELD_NUMBER: _ClassVar[int]
    AUX_COEFFICIENT_FIELD_NUMBER: _ClassVar[int]
    Z_LOSS_SUM_FIELD_NUMBER: _ClassVar[int]
    EXPERT_SIMILARITY_FIELD_NUMBER: _ClassVar[int]
    layer: int
    routed: _containers.RepeatedScalarFieldContainer[int]
    dropped: _containers.RepeatedScalarFieldContainer[int]
    aux_loss_sum: float
    aux_loss_count: int
    aux_coefficient: float
    z_loss_sum: float
    expert_similarity: float
    def __init__(self, layer: _Optional[int] = ..., routed: _Optional[_Iterable[int]] = ..., dropped: _Optional[_Iterable[int]] = ..., aux_loss_sum: _Optional[float] = ..., aux_loss_count: _Optional[int] = ..., aux_coefficient: _Optional[float] = ..., z_loss_sum: _Optional[float] = ..., expert_similarity: _Optional[float] = ...) -> None: ...

class TimelineEvent(_message.Message):
    __slots__ = ("kind", "micro_batch", "start_ms", "end_ms")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        KIND_UNSPECIFIED: _ClassVar[TimelineEvent.Kind]
        KIND_FORWARD: _ClassVar[TimelineEvent.Kind]
        KIND_BACKWARD: _ClassVar[TimelineEvent.Kind]
        KIND_OPTIMIZER: _ClassVar[TimelineEvent.Kind]
    KIND_UNSPECIFIED: TimelineEvent.Kind
    KIND_FORWARD: TimelineEvent.Kind
    KIND_BACKWARD: TimelineEvent.Kind
    KIND_OPTIMIZER: TimelineEvent.Kind
    KIND_FIELD_NUMBER: _ClassVar[int]
    MICRO_BATCH_FIELD_NUMBER: _ClassVar[int]
    START_MS_FIELD_NUMBER: _ClassVar[int]
    END_MS_FIELD_NUMBER: _ClassVar[int]
    kind: TimelineEvent.Kind
    micro_batch: int
    start_ms: float
    end_ms: float
    def __init__(self, kind: _Optional[_Union[TimelineEvent.Kind, str]] = ..., micro_batch: _Optional[int] = ..., start_ms: _Optional[float] = ..., end_ms: _Optional[float] = ...) -> None: ...

class StageReport(_message.Message):
    __slots__ = ("stage", "num_ranks", "compute_ms", "communication_ms", "peak_memory_bytes", "timeline", "slowest_rank", "least_compute_ms")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    NUM_RANKS_FIELD_NUMBER: _ClassVar[int]
    COMPUTE_MS_FIELD_NUMBER: _ClassVar[int]
    COMMUNICATION_MS_FIELD_NUMBER: _ClassVar[int]
    PEAK_MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    TIMELINE_FIELD_NUMBER: _ClassVar[int]
    SLOWEST_RANK_FIELD_NUMBER: _ClassVar[int]
    LEAST_COMPUTE_MS_FIELD_NUMBER: _ClassVar[int]
    stage: int
    num_ranks: int
    compute_ms: float
    communication_ms: float
    peak_memory_bytes: int
    timeline: _containers.RepeatedCompositeFieldContainer[TimelineEvent]
    slowest_rank: int
    least_compute_ms: float
    def __init__(self, stage: _Optional[int] = ..., num_ranks: _Optional[int] = ..., compute_ms: _Optional[float] = ..., communication_ms: _Optional[float] = ..., peak_memory_bytes: _Optional[int] = ..., timeline: _Optional[_Iterable[_Union[TimelineEvent, _Mapping]]] = ..., slowest_rank: _Optional[int] = ..., least_compute_ms: _Optional[float] = ...) -> None: ...

class StepReport(_message.Message):
    __slots__ = ("step", "num_ranks", "loss_sum", "loss_tokens", "gradient_norm", "learning_rate", "step_ms", "layers", "stages", "validation_loss_sum", "validation_tokens", "late_control_values", "num_steps")
    STEP_FIELD_NUMBER: _ClassVar[int]
    NUM_RANKS_FIELD_NUMBER: _ClassVar[int]
    LOSS_SUM_FIELD_NUMBER: _ClassVar[int]
    LOSS_TOKENS_FIELD_NUMBER: _ClassVar[int]
    GRADIENT_NORM_FIELD_NUMBER: _ClassVar[int]
    LEARNING_RATE_FIELD_NUMBER: _ClassVar[int]
    STEP_MS_FIELD_NUMBER: _ClassVar[int]
    LAYERS_FIELD_NUMBER: _ClassVar[int]
    STAGES_FIELD_NUMBER: _ClassVar[int]
    VALIDATION_LOSS_SUM_FIELD_NUMBER: _ClassVar[int]
    VALIDATION_TOKENS_FIELD_NUMBER: _ClassVar[int]
    LATE_CONTROL_VALUES_FIELD_NUMBER: _ClassVar[int]
    NUM_STEPS_FIELD_NUMBER: _ClassVar[int]
    step: int
    num_ranks: int
    loss_sum: float
    loss_tokens: int
    gradient_norm: float
    learning_rate: float
    step_ms: float
    layers: _containers.RepeatedCompositeFieldContainer[LayerReport]
    stages: _containers.RepeatedCompositeFieldContainer[StageReport]
    validation_loss_sum: float
    validation_tokens: int
    late_control_values: int
    num_steps: int
    def __init__(self, step: _Optional[int] = ..., num_ranks: _Optional[int] = ..., loss_sum: _Optional[float] = ..., loss_tokens: _Optional[int] = ..., gradient_norm: _Optional[float] = ..., learning_rate: _Optional[float] = ..., step_ms: _Optional[float] = ..., layers: _Optional[_Iterable[_Union[LayerReport, _Mapping]]] = ..., stages: _Optional[_Iterable[_Union[StageReport, _Mapping]]] = ..., validation_loss_sum: _Optional[float] = ..., validation_tokens: _Optional[int] = ..., late_control_values: _Optional[int] = ..., num_steps: _Optional[int] = ...) -> None: ...

class CheckpointFile(_message.Message):
    __slots__ = ("name", "size_bytes", "sha256")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    name: str
    size_bytes: int
    sha256: str
    def __init__(self, name: _Optional[str] = ..., size_bytes: _Optional[int] = ..., sha256: _Optional[str] = ...) -> None: ...

class CheckpointShards(_message.Message):
    __slots__ = ("step", "num_ranks", "files", "data_position")
    STEP_FIELD_NUMBER: _ClassVar[int]
    NUM_RANKS_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    DATA_POSITION_FIELD_NUMBER: _ClassVar[int]
    step: int
    num_ranks: int
    files: _containers.RepeatedCompositeFieldContainer[CheckpointFile]
    data_position: int
    def __init__(self, step: _Optional[int] = ..., num_ranks: _Optional[int] = ..., files: _Optional[_Iterable[_Union[CheckpointFile, _Mapping]]] = ..., data_position: _Optional[int] = ...) -> None: ...

class DataPrepared(_message.Message):
    __slots__ = ("train_tokens", "validation_tokens", "train_files", "validation_files", "source_hash", "reused")
    TRAIN_TOKENS_FIELD_NUMBER: _ClassVar[int]
    VALIDATION_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TRAIN_FILES_FIELD_NUMBER: _ClassVar[int]
    VALIDATION_FILES_FIELD_NUMBER: _ClassVar[int]
    SOURCE_HASH_FIELD_NUMBER: _ClassVar[int]
    REUSED_FIELD_NUMBER: _ClassVar[int]
    train_tokens: int
    validation_tokens: int
    train_files: int
    validation_files: int
    source_hash: str
    reused: bool
    def __init__(self, train_tokens: _Optional[int] = ..., validation_tokens: _Optional[int] = ..., train_files: _Optional[int] = ..., validation_files: _Optional[int] = ..., source_hash: _Optional[str] = ..., reused: bool = ...) -> None: ...

class Sample(_message.Message):
    __slots__ = ("prompt", "text", "skipped")
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SKIPPED_FIELD_NUMBER: _ClassVar[int]
    prompt: bytes
    text: bytes
    skipped: str
    def __init__(self, prompt: _Optional[bytes] = ..., text: _Optional[bytes] = ..., skipped: _Optional[str] = ...) -> None: ...
