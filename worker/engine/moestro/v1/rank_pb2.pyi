from moestro.v1 import job_pb2 as _job_pb2
from moestro.v1 import plan_pb2 as _plan_pb2
from moestro.v1 import report_pb2 as _report_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SelectionBias(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, values: _Optional[_Iterable[float]] = ...) -> None: ...

class Coefficients(_message.Message):
    __slots__ = ("effective_step", "values", "biases")
    EFFECTIVE_STEP_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    BIASES_FIELD_NUMBER: _ClassVar[int]
    effective_step: int
    values: _containers.RepeatedScalarFieldContainer[float]
    biases: _containers.RepeatedCompositeFieldContainer[SelectionBias]
    def __init__(self, effective_step: _Optional[int] = ..., values: _Optional[_Iterable[float]] = ..., biases: _Optional[_Iterable[_Union[SelectionBias, _Mapping]]] = ...) -> None: ...

class Rendezvous(_message.Message):
    __slots__ = ("host", "port")
    HOST_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    host: str
    port: int
    def __init__(self, host: _Optional[str] = ..., port: _Optional[int] = ...) -> None: ...

class CheckpointReference(_message.Message):
    __slots__ = ("step", "directory", "files")
    STEP_FIELD_NUMBER: _ClassVar[int]
    DIRECTORY_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    step: int
    directory: str
    files: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, step: _Optional[int] = ..., directory: _Optional[str] = ..., files: _Optional[_Iterable[str]] = ...) -> None: ...

class RankAssignment(_message.Message):
    __slots__ = ("run_id", "generation", "rank", "local_rank", "plan", "job", "restore", "coefficients", "collective_timeout_ms", "network_interface", "rendezvous_host", "slot", "num_threads")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    LOCAL_RANK_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    RESTORE_FIELD_NUMBER: _ClassVar[int]
    COEFFICIENTS_FIELD_NUMBER: _ClassVar[int]
    COLLECTIVE_TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    NETWORK_INTERFACE_FIELD_NUMBER: _ClassVar[int]
    RENDEZVOUS_HOST_FIELD_NUMBER: _ClassVar[int]
    SLOT_FIELD_NUMBER: _ClassVar[int]
    NUM_THREADS_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    generation: int
    rank: int
    local_rank: int
    plan: _plan_pb2.Plan
    job: _job_pb2.EngineJob
    restore: CheckpointReference
    coefficients: _containers.RepeatedCompositeFieldContainer[Coefficients]
    collective_timeout_ms: int
    network_interface: str
    rendezvous_host: str
    slot: int
    num_threads: int
    def __init__(self, run_id: _Optional[str] = ..., generation: _Optional[int] = ..., rank: _Optional[int] = ..., local_rank: _Optional[int] = ..., plan: _Optional[_Union[_plan_pb2.Plan, _Mapping]] = ..., job: _Optional[_Union[_job_pb2.EngineJob, _Mapping]] = ..., restore: _Optional[_Union[CheckpointReference, _Mapping]] = ..., coefficients: _Optional[_Iterable[_Union[Coefficients, _Mapping]]] = ..., collective_timeout_ms: _Optional[int] = ..., network_interface: _Optional[str] = ..., rendezvous_host: _Optional[str] = ..., slot: _Optional[int] = ..., num_threads: _Optional[int] = ...) -> None: ...

class StopRequest(_message.Message):
    __slots__ = ("checkpoint",)
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    checkpoint: bool
    def __init__(self, checkpoint: bool = ...) -> None: ...

class SaveRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StartRankProcess(_message.Message):
    __slots__ = ("token", "log_path")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    LOG_PATH_FIELD_NUMBER: _ClassVar[int]
    token: str
    log_path: str
    def __init__(self, token: _Optional[str] = ..., log_path: _Optional[str] = ...) -> None: ...

class SignalRankProcess(_message.Message):
    __slots__ = ("token", "signal")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    token: str
    signal: str
    def __init__(self, token: _Optional[str] = ..., signal: _Optional[str] = ...) -> None: ...

class AgentToRank(_message.Message):
    __slots__ = ("assignment", "rendezvous", "coefficients", "stop", "save", "start_process", "signal_process")
    ASSIGNMENT_FIELD_NUMBER: _ClassVar[int]
    RENDEZVOUS_FIELD_NUMBER: _ClassVar[int]
    COEFFICIENTS_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    SAVE_FIELD_NUMBER: _ClassVar[int]
    START_PROCESS_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_PROCESS_FIELD_NUMBER: _ClassVar[int]
    assignment: RankAssignment
    rendezvous: Rendezvous
    coefficients: Coefficients
    stop: StopRequest
    save: SaveRequest
    start_process: StartRankProcess
    signal_process: SignalRankProcess
    def __init__(self, assignment: _Optional[_Union[RankAssignment, _Mapping]] = ..., rendezvous: _Optional[_Union[Rendezvous, _Mapping]] = ..., coefficients: _Optional[_Union[Coefficients, _Mapping]] = ..., stop: _Optional[_Union[StopRequest, _Mapping]] = ..., save: _Optional[_Union[SaveRequest, _Mapping]] = ..., start_process: _Optional[_Union[StartRankProcess, _Mapping]] = ..., signal_process: _Optional[_Union[SignalRankProcess, _Mapping]] = ...) -> None: ...

class RankHello(_message.Message):
    __slots__ = ("token",)
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    token: str
    def __init__(self, token: _Optional[str] = ...) -> None: ...

class RankJoined(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RankReady(_message.Message):
    __slots__ = ("next_step",)
    NEXT_STEP_FIELD_NUMBER: _ClassVar[int]
    next_step: int
    def __init__(self, next_step: _Optional[int] = ...) -> None: ...

class RankFinished(_message.Message):
    __slots__ = ("last_step", "stopped_early")
    LAST_STEP_FIELD_NUMBER: _ClassVar[int]
    STOPPED_EARLY_FIELD_NUMBER: _ClassVar[int]
    last_step: int
    stopped_early: bool
    def __init__(self, last_step: _Optional[int] = ..., stopped_early: bool = ...) -> None: ...

class RankFailed(_message.Message):
    __slots__ = ("message", "user_error", "lost_peer")
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    USER_ERROR_FIELD_NUMBER: _ClassVar[int]
    LOST_PEER_FIELD_NUMBER: _ClassVar[int]
    message: str
    user_error: bool
    lost_peer: bool
    def __init__(self, message: _Optional[str] = ..., user_error: bool = ..., lost_peer: bool = ...) -> None: ...

class CanStartRanks(_message.Message):
    __slots__ = ("why_no_forks",)
    WHY_NO_FORKS_FIELD_NUMBER: _ClassVar[int]
    why_no_forks: str
    def __init__(self, why_no_forks: _Optional[str] = ...) -> None: ...

class RankProcessStarted(_message.Message):
    __slots__ = ("token", "pid", "problem")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    token: str
    pid: int
    problem: str
    def __init__(self, token: _Optional[str] = ..., pid: _Optional[int] = ..., problem: _Optional[str] = ...) -> None: ...

class RankProcessSignalled(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RankProcessEnded(_message.Message):
    __slots__ = ("token", "exit_code", "signal")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    token: str
    exit_code: int
    signal: str
    def __init__(self, token: _Optional[str] = ..., exit_code: _Optional[int] = ..., signal: _Optional[str] = ...) -> None: ...

class RankToAgent(_message.Message):
    __slots__ = ("hello", "rendezvous", "data", "ready", "step", "checkpoint", "sample", "finished", "failed", "joined", "can_start", "process_started", "process_signalled", "process_ended")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    RENDEZVOUS_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    JOINED_FIELD_NUMBER: _ClassVar[int]
    CAN_START_FIELD_NUMBER: _ClassVar[int]
    PROCESS_STARTED_FIELD_NUMBER: _ClassVar[int]
    PROCESS_SIGNALLED_FIELD_NUMBER: _ClassVar[int]
    PROCESS_ENDED_FIELD_NUMBER: _ClassVar[int]
    hello: RankHello
    rendezvous: Rendezvous
    data: _report_pb2.DataPrepared
    ready: RankReady
    step: _report_pb2.StepReport
    checkpoint: _report_pb2.CheckpointShards
    sample: _report_pb2.Sample
    finished: RankFinished
    failed: RankFailed
    joined: RankJoined
    can_start: CanStartRanks
    process_started: RankProcessStarted
    process_signalled: RankProcessSignalled
    process_ended: RankProcessEnded
    def __init__(self, hello: _Optional[_Union[RankHello, _Mapping]] = ..., rendezvous: _Optional[_Union[Rendezvous, _Mapping]] = ..., data: _Optional[_Union[_report_pb2.DataPrepared, _Mapping]] = ..., ready: _Optional[_Union[RankReady, _Mapping]] = ..., step: _Optional[_Union[_report_pb2.StepReport, _Mapping]] = ..., checkpoint: _Optional[_Union[_report_pb2.CheckpointShards, _Mapping]] = ..., sample: _Optional[_Union[_report_pb2.Sample, _Mapping]] = ..., finished: _Optional[_Union[RankFinished, _Mapping]] = ..., failed: _Optional[_Union[RankFailed, _Mapping]] = ..., joined: _Optional[_Union[RankJoined, _Mapping]] = ..., can_start: _Optional[_Union[CanStartRanks, _Mapping]] = ..., process_started: _Optional[_Union[RankProcessStarted, _Mapping]] = ..., process_signalled: _Optional[_Union[RankProcessSignalled, _Mapping]] = ..., process_ended: _Optional[_Union[RankProcessEnded, _Mapping]] = ...) -> None: ...
