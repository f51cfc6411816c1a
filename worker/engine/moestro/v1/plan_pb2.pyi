from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Scheme(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SCHEME_UNSPECIFIED: _ClassVar[Scheme]
    SCHEME_EDP: _ClassVar[Scheme]
    SCHEME_EP: _ClassVar[Scheme]
    SCHEME_ETP: _ClassVar[Scheme]
    SCHEME_FOLDED: _ClassVar[Scheme]

class Schedule(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SCHEDULE_UNSPECIFIED: _ClassVar[Schedule]
    SCHEDULE_1F1B: _ClassVar[Schedule]
    SCHEDULE_GPIPE: _ClassVar[Schedule]
    SCHEDULE_INTERLEAVED: _ClassVar[Schedule]
    SCHEDULE_ZERO_BUBBLE: _ClassVar[Schedule]
    SCHEDULE_DUALPIPEV: _ClassVar[Schedule]

class OptimizerSharding(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OPTIMIZER_SHARDING_UNSPECIFIED: _ClassVar[OptimizerSharding]
    OPTIMIZER_SHARDING_ZERO1: _ClassVar[OptimizerSharding]
    OPTIMIZER_SHARDING_FSDP: _ClassVar[OptimizerSharding]

class Recompute(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RECOMPUTE_UNSPECIFIED: _ClassVar[Recompute]
    RECOMPUTE_NONE: _ClassVar[Recompute]
    RECOMPUTE_FULL: _ClassVar[Recompute]
    RECOMPUTE_SELECTIVE: _ClassVar[Recompute]
SCHEME_UNSPECIFIED: Scheme
SCHEME_EDP: Scheme
SCHEME_EP: Scheme
SCHEME_ETP: Scheme
SCHEME_FOLDED: Scheme
SCHEDULE_UNSPECIFIED: Schedule
SCHEDULE_1F1B: Schedule
SCHEDULE_GPIPE: Schedule
SCHEDULE_INTERLEAVED: Schedule
SCHEDULE_ZERO_BUBBLE: Schedule
SCHEDULE_DUALPIPEV: Schedule
OPTIMIZER_SHARDING_UNSPECIFIED: OptimizerSharding
OPTIMIZER_SHARDING_ZERO1: OptimizerSharding
OPTIMIZER_SHARDING_FSDP: OptimizerSharding
RECOMPUTE_UNSPECIFIED: Recompute
RECOMPUTE_NONE: Recompute
RECOMPUTE_FULL: Recompute
RECOMPUTE_SELECTIVE: Recompute

class Layout(_message.Message):
    __slots__ = ("scheme", "tensor_parallel", "context_parallel", "pipeline_parallel", "virtual_pipeline", "data_parallel", "expert_parallel", "expert_tensor_parallel", "expert_data_parallel", "rank_order")
    SCHEME_FIELD_NUMBER: _ClassVar[int]
    TENSOR_PARALLEL_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_PARALLEL_FIELD_NUMBER: _ClassVar[int]
    PIPELINE_PARALLEL_FIELD_NUMBER: _ClassVar[int]
    VIRTUAL_PIPELINE_FIELD_NUMBER: _ClassVar[int]
    DATA_PARALLEL_FIELD_NUMBER: _ClassVar[int]
    EXPERT_PARALLEL_FIELD_NUMBER: _ClassVar[int]
    EXPERT_TENSOR_PARALLEL_FIELD_NUMBER: _ClassVar[int]
    EXPERT_DATA_PARALLEL_FIELD_NUMBER: _ClassVar[int]
    RANK_ORDER_FIELD_NUMBER: _ClassVar[int]
    scheme: Scheme
    tensor_parallel: int
    context_parallel: int
    pipeline_parallel: int
    virtual_pipeline: int
    data_parallel: int
    expert_parallel: int
    expert_tensor_parallel: int
    expert_data_parallel: int
    rank_order: str
    def __init__(self, scheme: _Optional[_Union[Scheme, str]] = ..., tensor_parallel: _Optional[int] = ..., context_parallel: _Optional[int] = ..., pipeline_parallel: _Optional[int] = ..., virtual_pipeline: _Optional[int] = ..., data_parallel: _Optional[int] = ..., expert_parallel: _Optional[int] = ..., expert_tensor_parallel: _Optional[int] = ..., expert_data_parallel: _Optional[int] = ..., rank_order: _Optional[str] = ...) -> None: ...

class Stage(_message.Message):
    __slots__ = ("index", "first_layer", "num_layers", "has_embedding", "has_head", "recompute", "forward_flops", "backward_flops", "experts_per_rank", "pipeline_rank")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    FIRST_LAYER_FIELD_NUMBER: _ClassVar[int]
    NUM_LAYERS_FIELD_NUMBER: _ClassVar[int]
    HAS_EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    HAS_HEAD_FIELD_NUMBER: _ClassVar[int]
    RECOMPUTE_FIELD_NUMBER: _ClassVar[int]
    FORWARD_FLOPS_FIELD_NUMBER: _ClassVar[int]
    BACKWARD_FLOPS_FIELD_NUMBER: _ClassVar[int]
    EXPERTS_PER_RANK_FIELD_NUMBER: _ClassVar[int]
    PIPELINE_RANK_FIELD_NUMBER: _ClassVar[int]
    index: int
    first_layer: int
    num_layers: int
    has_embedding: bool
    has_head: bool
    recompute: _containers.RepeatedScalarFieldContainer[Recompute]
    forward_flops: float
    backward_flops: float
    experts_per_rank: int
    pipeline_rank: int
    def __init__(self, index: _Optional[int] = ..., first_layer: _Optional[int] = ..., num_layers: _Optional[int] = ..., has_embedding: bool = ..., has_head: bool = ..., recompute: _Optional[_Iterable[_Union[Recompute, str]]] = ..., forward_flops: _Optional[float] = ..., backward_flops: _Optional[float] = ..., experts_per_rank: _Optional[int] = ..., pipeline_rank: _Optional[int] = ...) -> None: ...

class PlanPrediction(_message.Message):
    __slots__ = ("balance", "makespan_flops", "bound_flops", "bubble_fraction", "uniform_makespan_flops", "uniform_layers", "total_parameters", "active_parameters", "parameters_per_rank_max", "memory_bytes")
    BALANCE_FIELD_NUMBER: _ClassVar[int]
    MAKESPAN_FLOPS_FIELD_NUMBER: _ClassVar[int]
    BOUND_FLOPS_FIELD_NUMBER: _ClassVar[int]
    BUBBLE_FRACTION_FIELD_NUMBER: _ClassVar[int]
    UNIFORM_MAKESPAN_FLOPS_FIELD_NUMBER: _ClassVar[int]
    UNIFORM_LAYERS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_PER_RANK_MAX_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    balance: float
    makespan_flops: float
    bound_flops: float
    bubble_fraction: float
    uniform_makespan_flops: float
    uniform_layers: _containers.RepeatedScalarFieldContainer[int]
    total_parameters: int
    active_parameters: int
    parameters_per_rank_max: int
    memory_bytes: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, balance: _Optional[float] = ..., makespan_flops: _Optional[float] = ..., bound_flops: _Optional[float] = ..., bubble_fraction: _Optional[float] = ..., uniform_makespan_flops: _Optional[float] = ..., uniform_layers: _Optional[_Iterable[int]] = ..., total_parameters: _Optional[int] = ..., active_parameters: _Optional[int] = ..., parameters_per_rank_max: _Optional[int] = ..., memory_bytes: _Optional[_Iterable[float]] = ...) -> None: ...

class Plan(_message.Message):
    __slots__ = ("layout", "stages", "schedule", "world_size", "micro_batch_size", "num_micro_batches", "prediction", "reasons", "num_candidates", "optimizer_sharding")
    LAYOUT_FIELD_NUMBER: _ClassVar[int]
    STAGES_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_FIELD_NUMBER: _ClassVar[int]
    WORLD_SIZE_FIELD_NUMBER: _ClassVar[int]
    MICRO_BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    NUM_MICRO_BATCHES_FIELD_NUMBER: _ClassVar[int]
    PREDICTION_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    NUM_CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    OPTIMIZER_SHARDING_FIELD_NUMBER: _ClassVar[int]
    layout: Layout
    stages: _containers.RepeatedCompositeFieldContainer[Stage]
    schedule: Schedule
    world_size: int
    micro_batch_size: int
    num_micro_batches: int
    prediction: PlanPrediction
    reasons: _containers.RepeatedScalarFieldContainer[str]
    num_candidates: int
    optimizer_sharding: OptimizerSharding
    def __init__(self, layout: _Optional[_Union[Layout, _Mapping]] = ..., stages: _Optional[_Iterable[_Union[Stage, _Mapping]]] = ..., schedule: _Optional[_Union[Schedule, str]] = ..., world_size: _Optional[int] = ..., micro_batch_size: _Optional[int] = ..., num_micro_batches: _Optional[int] = ..., prediction: _Optional[_Union[PlanPrediction, _Mapping]] = ..., reasons: _Optional[_Iterable[str]] = ..., num_candidates: _Optional[int] = ..., optimizer_sharding: _Optional[_Union[OptimizerSharding, str]] = ...) -> None: ...
