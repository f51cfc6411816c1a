from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RunState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RUN_STATE_UNSPECIFIED: _ClassVar[RunState]
    RUN_STATE_STARTING: _ClassVar[RunState]
    RUN_STATE_RUNNING: _ClassVar[RunState]
    RUN_STATE_STOPPING: _ClassVar[RunState]
    RUN_STATE_SUCCEEDED: _ClassVar[RunState]
    RUN_STATE_STOPPED: _ClassVar[RunState]
    RUN_STATE_FAILED: _ClassVar[RunState]
    RUN_STATE_QUEUED: _ClassVar[RunState]
    RUN_STATE_RECOVERING: _ClassVar[RunState]
    RUN_STATE_SUSPENDING: _ClassVar[RunState]
    RUN_STATE_SUSPENDED: _ClassVar[RunState]
RUN_STATE_UNSPECIFIED: RunState
RUN_STATE_STARTING: RunState
RUN_STATE_RUNNING: RunState
RUN_STATE_STOPPING: RunState
RUN_STATE_SUCCEEDED: RunState
RUN_STATE_STOPPED: RunState
RUN_STATE_FAILED: RunState
RUN_STATE_QUEUED: RunState
RUN_STATE_RECOVERING: RunState
RUN_STATE_SUSPENDING: RunState
RUN_STATE_SUSPENDED: RunState

class RunStatus(_message.Message):
    __slots__ = ("run_id", "state", "reason", "generation", "step", "total_steps", "loss", "validation_loss", "tokens_per_second", "drop_rate", "min_coefficient", "max_coefficient", "eta_ms", "checkpoint_step", "stages", "name", "owner", "priority", "submitted_at_ms", "num_ranks", "min_ranks", "max_ranks", "layout", "restarts", "counted_restarts", "max_restarts", "goodput", "steps_lost", "layers", "ranks", "exit_code", "model_flops_per_second", "mfu")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    TOTAL_STEPS_FIELD_NUMBER: _ClassVar[int]
    LOSS_FIELD_NUMBER: _ClassVar[int]
    VALIDATION_LOSS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    DROP_RATE_FIELD_NUMBER: _ClassVar[int]
    MIN_COEFFICIENT_FIELD_NUMBER: _ClassVar[int]
    MAX_COEFFICIENT_FIELD_NUMBER: _ClassVar[int]
    ETA_MS_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_STEP_FIELD_NUMBER: _ClassVar[int]
    STAGES_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    SUBMITTED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    NUM_RANKS_FIELD_NUMBER: _ClassVar[int]
    MIN_RANKS_FIELD_NUMBER: _ClassVar[int]
    MAX_RANKS_FIELD_NUMBER: _ClassVar[int]
    LAYOUT_FIELD_NUMBER: _ClassVar[int]
    RESTARTS_FIELD_NUMBER: _ClassVar[int]
    COUNTED_RESTARTS_FIELD_NUMBER: _ClassVar[int]
    MAX_RESTARTS_FIELD_NUMBER: _ClassVar[int]
    GOODPUT_FIELD_NUMBER: _ClassVar[int]
    STEPS_LOST_FIELD_NUMBER: _ClassVar[int]
    LAYERS_FIELD_NUMBER: _ClassVar[int]
    RANKS_FIELD_NUMBER: _ClassVar[int]
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FLOPS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    MFU_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    state: RunState
    reason: str
    generation: int
    step: int
    total_steps: int
    loss: float
    validation_loss: float
    tokens_per_second: float
    drop_rate: float
    min_coefficient: float
    max_coefficient: float
    eta_ms: int
    checkpoint_step: int
    stages: _containers.RepeatedCompositeFieldContainer[StageStatus]
    name: str
    owner: str
    priority: int
    submitted_at_ms: int
    num_ranks: int
    min_ranks: int
    max_ranks: int
    layout: str
    restarts: int
    counted_restarts: int
    max_restarts: int
    goodput: float
    steps_lost: int
    layers: _containers.RepeatedCompositeFieldContainer[LayerStatus]
    ranks: _containers.RepeatedCompositeFieldContainer[RankStatus]
    exit_code: int
    model_flops_per_second: float
    mfu: float
    def __init__(self, run_id: _Optional[str] = ..., state: _Optional[_Union[RunState, str]] = ..., reason: _Optional[str] = ..., generation: _Optional[int] = ..., step: _Optional[int] = ..., total_steps: _Optional[int] = ..., loss: _Optional[float] = ..., validation_loss: _Optional[float] = ..., tokens_per_second: _Optional[float] = ..., drop_rate: _Optional[float] = ..., min_coefficient: _Optional[float] = ..., max_coefficient: _Optional[float] = ..., eta_ms: _Optional[int] = ..., checkpoint_step: _Optional[int] = ..., stages: _Optional[_Iterable[_Union[StageStatus, _Mapping]]] = ..., name: _Optional[str] = ..., owner: _Optional[str] = ..., priority: _Optional[int] = ..., submitted_at_ms: _Optional[int] = ..., num_ranks: _Optional[int] = ..., min_ranks: _Optional[int] = ..., max_ranks: _Optional[int] = ..., layout: _Optional[str] = ..., restarts: _Optional[int] = ..., counted_restarts: _Optional[int] = ..., max_restarts: _Optional[int] = ..., goodput: _Optional[float] = ..., steps_lost: _Optional[int] = ..., layers: _Optional[_Iterable[_Union[LayerStatus, _Mapping]]] = ..., ranks: _Optional[_Iterable[_Union[RankStatus, _Mapping]]] = ..., exit_code: _Optional[int] = ..., model_flops_per_second: _Optional[float] = ..., mfu: _Optional[float] = ...) -> None: ...

class LayerStatus(_message.Message):
    __slots__ = ("layer", "drop_rate", "coefficient", "load")
    LAYER_FIELD_NUMBER: _ClassVar[int]
    DROP_RATE_FIELD_NUMBER: _ClassVar[int]
    COEFFICIENT_FIELD_NUMBER: _ClassVar[int]
    LOAD_FIELD_NUMBER: _ClassVar[int]
    layer: int
    drop_rate: float
    coefficient: float
    load: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, layer: _Optional[int] = ..., drop_rate: _Optional[float] = ..., coefficient: _Optional[float] = ..., load: _Optional[_Iterable[int]] = ...) -> None: ...

class RankStatus(_message.Message):
    __slots__ = ("rank", "agent_id", "pid")
    RANK_FIELD_NUMBER: _ClassVar[int]
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    rank: int
    agent_id: str
    pid: int
    def __init__(self, rank: _Optional[int] = ..., agent_id: _Optional[str] = ..., pid: _Optional[int] = ...) -> None: ...

class StageStatus(_message.Message):
    __slots__ = ("stage", "num_layers", "compute_ms", "communication_ms", "peak_memory_bytes")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    NUM_LAYERS_FIELD_NUMBER: _ClassVar[int]
    COMPUTE_MS_FIELD_NUMBER: _ClassVar[int]
    COMMUNICATION_MS_FIELD_NUMBER: _ClassVar[int]
    PEAK_MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    stage: int
    num_layers: int
    compute_ms: float
    communication_ms: float
    peak_memory_bytes: int
    def __init__(self, stage: _Optional[int] = ..., num_layers: _Optional[int] = ..., compute_ms: _Optional[float] = ..., communication_ms: _Optional[float] = ..., peak_memory_bytes: _Optional[int] = ...) -> None: ...

class GetRunRequest(_message.Message):
    __slots__ = ("run_id",)
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    def __init__(self, run_id: _Optional[str] = ...) -> None: ...

class GetRunResponse(_message.Message):
    __slots__ = ("status",)
    STATUS_FIELD_NUMBER: _ClassVar[int]
    status: RunStatus
    def __init__(self, status: _Optional[_Union[RunStatus, _Mapping]] = ...) -> None: ...

class WatchRunRequest(_message.Message):
    __slots__ = ("run_id",)
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    def __init__(self, run_id: _Optional[str] = ...) -> None: ...

class WatchRunResponse(_message.Message):
    __slots__ = ("status",)
    STATUS_FIELD_NUMBER: _ClassVar[int]
    status: RunStatus
    def __init__(self, status: _Optional[_Union[RunStatus, _Mapping]] = ...) -> None: ...

class StopRunRequest(_message.Message):
    __slots__ = ("run_id", "checkpoint")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    checkpoint: bool
    def __init__(self, run_id: _Optional[str] = ..., checkpoint: bool = ...) -> None: ...

class StopRunResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SubmitRunRequest(_message.Message):
    __slots__ = ("job_json", "job_text", "run_id", "priority", "min_ranks", "max_ranks", "max_restarts")
    JOB_JSON_FIELD_NUMBER: _ClassVar[int]
    JOB_TEXT_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    MIN_RANKS_FIELD_NUMBER: _ClassVar[int]
    MAX_RANKS_FIELD_NUMBER: _ClassVar[int]
    MAX_RESTARTS_FIELD_NUMBER: _ClassVar[int]
    job_json: str
    job_text: str
    run_id: str
    priority: int
    min_ranks: int
    max_ranks: int
    max_restarts: int
    def __init__(self, job_json: _Optional[str] = ..., job_text: _Optional[str] = ..., run_id: _Optional[str] = ..., priority: _Optional[int] = ..., min_ranks: _Optional[int] = ..., max_ranks: _Optional[int] = ..., max_restarts: _Optional[int] = ...) -> None: ...

class SubmitRunResponse(_message.Message):
    __slots__ = ("run_id",)
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    def __init__(self, run_id: _Optional[str] = ...) -> None: ...

class ListRunsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListRunsResponse(_message.Message):
    __slots__ = ("runs",)
    RUNS_FIELD_NUMBER: _ClassVar[int]
    runs: _containers.RepeatedCompositeFieldContainer[RunStatus]
    def __init__(self, runs: _Optional[_Iterable[_Union[RunStatus, _Mapping]]] = ...) -> None: ...

class SuspendRunRequest(_message.Message):
    __slots__ = ("run_id",)
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    def __init__(self, run_id: _Optional[str] = ...) -> None: ...

class SuspendRunResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ResumeRunRequest(_message.Message):
    __slots__ = ("run_id",)
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    def __init__(self, run_id: _Optional[str] = ...) -> None: ...

class ResumeRunResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ScaleRunRequest(_message.Message):
    __slots__ = ("run_id", "min_ranks", "max_ranks")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    MIN_RANKS_FIELD_NUMBER: _ClassVar[int]
    MAX_RANKS_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    min_ranks: int
    max_ranks: int
    def __init__(self, run_id: _Optional[str] = ..., min_ranks: _Optional[int] = ..., max_ranks: _Optional[int] = ...) -> None: ...

class ScaleRunResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SaveCheckpointRequest(_message.Message):
    __slots__ = ("run_id",)
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    def __init__(self, run_id: _Optional[str] = ...) -> None: ...

class SaveCheckpointResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WatchEventsRequest(_message.Message):
    __slots__ = ("run_id", "follow")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    follow: bool
    def __init__(self, run_id: _Optional[str] = ..., follow: bool = ...) -> None: ...

class WatchEventsResponse(_message.Message):
    __slots__ = ("line",)
    LINE_FIELD_NUMBER: _ClassVar[int]
    line: str
    def __init__(self, line: _Optional[str] = ...) -> None: ...

class ReadLogRequest(_message.Message):
    __slots__ = ("run_id", "rank", "generation", "follow")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    rank: int
    generation: int
    follow: bool
    def __init__(self, run_id: _Optional[str] = ..., rank: _Optional[int] = ..., generation: _Optional[int] = ..., follow: bool = ...) -> None: ...

class ReadLogResponse(_message.Message):
    __slots__ = ("chunk", "generation")
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    chunk: bytes
    generation: int
    def __init__(self, chunk: _Optional[bytes] = ..., generation: _Optional[int] = ...) -> None: ...
