from moestro.v1 import job_pb2 as _job_pb2
from moestro.v1 import plan_pb2 as _plan_pb2
from moestro.v1 import rank_pb2 as _rank_pb2
from moestro.v1 import report_pb2 as _report_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Fence(_message.Message):
    __slots__ = ("run_id", "generation", "coordinator_epoch")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    COORDINATOR_EPOCH_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    generation: int
    coordinator_epoch: int
    def __init__(self, run_id: _Optional[str] = ..., generation: _Optional[int] = ..., coordinator_epoch: _Optional[int] = ...) -> None: ...

class Accelerator(_message.Message):
    __slots__ = ("name", "memory_bytes")
    NAME_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    name: str
    memory_bytes: int
    def __init__(self, name: _Optional[str] = ..., memory_bytes: _Optional[int] = ...) -> None: ...

class Inventory(_message.Message):
    __slots__ = ("accelerators", "num_cpus", "memory_bytes", "topology")
    ACCELERATORS_FIELD_NUMBER: _ClassVar[int]
    NUM_CPUS_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    TOPOLOGY_FIELD_NUMBER: _ClassVar[int]
    accelerators: _containers.RepeatedCompositeFieldContainer[Accelerator]
    num_cpus: int
    memory_bytes: int
    topology: str
    def __init__(self, accelerators: _Optional[_Iterable[_Union[Accelerator, _Mapping]]] = ..., num_cpus: _Optional[int] = ..., memory_bytes: _Optional[int] = ..., topology: _Optional[str] = ...) -> None: ...

class RankGroupState(_message.Message):
    __slots__ = ("fence", "ranks", "started", "rendezvous", "data", "ready", "exits")
    FENCE_FIELD_NUMBER: _ClassVar[int]
    RANKS_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    RENDEZVOUS_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    EXITS_FIELD_NUMBER: _ClassVar[int]
    fence: Fence
    ranks: _containers.RepeatedScalarFieldContainer[int]
    started: _containers.RepeatedCompositeFieldContainer[RankStarted]
    rendezvous: _rank_pb2.Rendezvous
    data: _report_pb2.DataPrepared
    ready: _containers.RepeatedCompositeFieldContainer[RankIsReady]
    exits: _containers.RepeatedCompositeFieldContainer[RankExited]
    def __init__(self, fence: _Optional[_Union[Fence, _Mapping]] = ..., ranks: _Optional[_Iterable[int]] = ..., started: _Optional[_Iterable[_Union[RankStarted, _Mapping]]] = ..., rendezvous: _Optional[_Union[_rank_pb2.Rendezvous, _Mapping]] = ..., data: _Optional[_Union[_report_pb2.DataPrepared, _Mapping]] = ..., ready: _Optional[_Iterable[_Union[RankIsReady, _Mapping]]] = ..., exits: _Optional[_Iterable[_Union[RankExited, _Mapping]]] = ...) -> None: ...

class AgentHello(_message.Message):
    __slots__ = ("agent_id", "host", "pid", "num_slots", "incarnation", "address", "probe_port", "inventory", "groups")
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    NUM_SLOTS_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    PROBE_PORT_FIELD_NUMBER: _ClassVar[int]
    INVENTORY_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    agent_id: str
    host: str
    pid: int
    num_slots: int
    incarnation: str
    address: str
    probe_port: int
    inventory: Inventory
    groups: _containers.RepeatedCompositeFieldContainer[RankGroupState]
    def __init__(self, agent_id: _Optional[str] = ..., host: _Optional[str] = ..., pid: _Optional[int] = ..., num_slots: _Optional[int] = ..., incarnation: _Optional[str] = ..., address: _Optional[str] = ..., probe_port: _Optional[int] = ..., inventory: _Optional[_Union[Inventory, _Mapping]] = ..., groups: _Optional[_Iterable[_Union[RankGroupState, _Mapping]]] = ...) -> None: ...

class RankStarted(_message.Message):
    __slots__ = ("rank", "pid")
    RANK_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    rank: int
    pid: int
    def __init__(self, rank: _Optional[int] = ..., pid: _Optional[int] = ...) -> None: ...

class RankIsReady(_message.Message):
    __slots__ = ("rank", "next_step")
    RANK_FIELD_NUMBER: _ClassVar[int]
    NEXT_STEP_FIELD_NUMBER: _ClassVar[int]
    rank: int
    next_step: int
    def __init__(self, rank: _Optional[int] = ..., next_step: _Optional[int] = ...) -> None: ...

class RankExited(_message.Message):
    __slots__ = ("rank", "exit_code", "signal", "failure", "finished", "stderr_tail")
    RANK_FIELD_NUMBER: _ClassVar[int]
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    STDERR_TAIL_FIELD_NUMBER: _ClassVar[int]
    rank: int
    exit_code: int
    signal: str
    failure: _rank_pb2.RankFailed
    finished: _rank_pb2.RankFinished
    stderr_tail: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, rank: _Optional[int] = ..., exit_code: _Optional[int] = ..., signal: _Optional[str] = ..., failure: _Optional[_Union[_rank_pb2.RankFailed, _Mapping]] = ..., finished: _Optional[_Union[_rank_pb2.RankFinished, _Mapping]] = ..., stderr_tail: _Optional[_Iterable[str]] = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ProbeResult(_message.Message):
    __slots__ = ("agent_id", "answered", "why", "connected")
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    ANSWERED_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    CONNECTED_FIELD_NUMBER: _ClassVar[int]
    agent_id: str
    answered: bool
    why: str
    connected: bool
    def __init__(self, agent_id: _Optional[str] = ..., answered: bool = ..., why: _Optional[str] = ..., connected: bool = ...) -> None: ...

class StackDump(_message.Message):
    __slots__ = ("rank", "lines")
    RANK_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    rank: int
    lines: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, rank: _Optional[int] = ..., lines: _Optional[_Iterable[str]] = ...) -> None: ...

class Leaving(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class ConnectRequest(_message.Message):
    __slots__ = ("fence", "hello", "rank_started", "rendezvous", "data", "rank_ready", "step", "checkpoint", "sample", "rank_exited", "heartbeat", "probed", "stack", "joined", "leaving")
    FENCE_FIELD_NUMBER: _ClassVar[int]
    HELLO_FIELD_NUMBER: _ClassVar[int]
    RANK_STARTED_FIELD_NUMBER: _ClassVar[int]
    RENDEZVOUS_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    RANK_READY_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_FIELD_NUMBER: _ClassVar[int]
    RANK_EXITED_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    PROBED_FIELD_NUMBER: _ClassVar[int]
    STACK_FIELD_NUMBER: _ClassVar[int]
    JOINED_FIELD_NUMBER: _ClassVar[int]
    LEAVING_FIELD_NUMBER: _ClassVar[int]
    fence: Fence
    hello: AgentHello
    rank_started: RankStarted
    rendezvous: _rank_pb2.Rendezvous
    data: _report_pb2.DataPrepared
    rank_ready: RankIsReady
    step: _report_pb2.StepReport
    checkpoint: _report_pb2.CheckpointShards
    sample: _report_pb2.Sample
    rank_exited: RankExited
    heartbeat: Heartbeat
    probed: ProbeResult
    stack: StackDump
    joined: _rank_pb2.RankJoined
    leaving: Leaving
    def __init__(self, fence: _Optional[_Union[Fence, _Mapping]] = ..., hello: _Optional[_Union[AgentHello, _Mapping]] = ..., rank_started: _Optional[_Union[RankStarted, _Mapping]] = ..., rendezvous: _Optional[_Union[_rank_pb2.Rendezvous, _Mapping]] = ..., data: _Optional[_Union[_report_pb2.DataPrepared, _Mapping]] = ..., rank_ready: _Optional[_Union[RankIsReady, _Mapping]] = ..., step: _Optional[_Union[_report_pb2.StepReport, _Mapping]] = ..., checkpoint: _Optional[_Union[_report_pb2.CheckpointShards, _Mapping]] = ..., sample: _Optional[_Union[_report_pb2.Sample, _Mapping]] = ..., rank_exited: _Optional[_Union[RankExited, _Mapping]] = ..., heartbeat: _Optional[_Union[Heartbeat, _Mapping]] = ..., probed: _Optional[_Union[ProbeResult, _Mapping]] = ..., stack: _Optional[_Union[StackDump, _Mapping]] = ..., joined: _Optional[_Union[_rank_pb2.RankJoined, _Mapping]] = ..., leaving: _Optional[_Union[Leaving, _Mapping]] = ...) -> None: ...

class Welcome(_message.Message):
    __slots__ = ("heartbeat_interval_ms",)
    HEARTBEAT_INTERVAL_MS_FIELD_NUMBER: _ClassVar[int]
    heartbeat_interval_ms: int
    def __init__(self, heartbeat_interval_ms: _Optional[int] = ...) -> None: ...

class HeartbeatReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Acknowledged(_message.Message):
    __slots__ = ("step", "checkpoint_step")
    STEP_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_STEP_FIELD_NUMBER: _ClassVar[int]
    step: int
    checkpoint_step: int
    def __init__(self, step: _Optional[int] = ..., checkpoint_step: _Optional[int] = ...) -> None: ...

class Probe(_message.Message):
    __slots__ = ("agent_id", "address", "port", "timeout_ms")
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    agent_id: str
    address: str
    port: int
    timeout_ms: int
    def __init__(self, agent_id: _Optional[str] = ..., address: _Optional[str] = ..., port: _Optional[int] = ..., timeout_ms: _Optional[int] = ...) -> None: ...

class DumpStacks(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StartRanks(_message.Message):
    __slots__ = ("job", "plan", "ranks", "restore", "coefficients", "collective_timeout_ms", "network_interface", "rendezvous_host", "log_directory", "slots")
    JOB_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    RANKS_FIELD_NUMBER: _ClassVar[int]
    RESTORE_FIELD_NUMBER: _ClassVar[int]
    COEFFICIENTS_FIELD_NUMBER: _ClassVar[int]
    COLLECTIVE_TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    NETWORK_INTERFACE_FIELD_NUMBER: _ClassVar[int]
    RENDEZVOUS_HOST_FIELD_NUMBER: _ClassVar[int]
    LOG_DIRECTORY_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    job: _job_pb2.EngineJob
    plan: _plan_pb2.Plan
    ranks: _containers.RepeatedScalarFieldContainer[int]
    restore: _rank_pb2.CheckpointReference
    coefficients: _containers.RepeatedCompositeFieldContainer[_rank_pb2.Coefficients]
    collective_timeout_ms: int
    network_interface: str
    rendezvous_host: str
    log_directory: str
    slots: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, job: _Optional[_Union[_job_pb2.EngineJob, _Mapping]] = ..., plan: _Optional[_Union[_plan_pb2.Plan, _Mapping]] = ..., ranks: _Optional[_Iterable[int]] = ..., restore: _Optional[_Union[_rank_pb2.CheckpointReference, _Mapping]] = ..., coefficients: _Optional[_Iterable[_Union[_rank_pb2.Coefficients, _Mapping]]] = ..., collective_timeout_ms: _Optional[int] = ..., network_interface: _Optional[str] = ..., rendezvous_host: _Optional[str] = ..., log_directory: _Optional[str] = ..., slots: _Optional[_Iterable[int]] = ...) -> None: ...

class KillRanks(_message.Message):
    __slots__ = ("grace_ms",)
    GRACE_MS_FIELD_NUMBER: _ClassVar[int]
    grace_ms: int
    def __init__(self, grace_ms: _Optional[int] = ...) -> None: ...

class Goodbye(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ConnectResponse(_message.Message):
    __slots__ = ("fence", "welcome", "start", "rendezvous", "coefficients", "stop", "kill", "goodbye", "heartbeat", "acknowledged", "probe", "dump_stacks", "save")
    FENCE_FIELD_NUMBER: _ClassVar[int]
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    RENDEZVOUS_FIELD_NUMBER: _ClassVar[int]
    COEFFICIENTS_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    KILL_FIELD_NUMBER: _ClassVar[int]
    GOODBYE_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGED_FIELD_NUMBER: _ClassVar[int]
    PROBE_FIELD_NUMBER: _ClassVar[int]
    DUMP_STACKS_FIELD_NUMBER: _ClassVar[int]
    SAVE_FIELD_NUMBER: _ClassVar[int]
    fence: Fence
    welcome: Welcome
    start: StartRanks
    rendezvous: _rank_pb2.Rendezvous
    coefficients: _rank_pb2.Coefficients
    stop: _rank_pb2.StopRequest
    kill: KillRanks
    goodbye: Goodbye
    heartbeat: HeartbeatReply
    acknowledged: Acknowledged
    probe: Probe
    dump_stacks: DumpStacks
    save: _rank_pb2.SaveRequest
    def __init__(self, fence: _Optional[_Union[Fence, _Mapping]] = ..., welcome: _Optional[_Union[Welcome, _Mapping]] = ..., start: _Optional[_Union[StartRanks, _Mapping]] = ..., rendezvous: _Optional[_Union[_rank_pb2.Rendezvous, _Mapping]] = ..., coefficients: _Optional[_Union[_rank_pb2.Coefficients, _Mapping]] = ..., stop: _Optional[_Union[_rank_pb2.StopRequest, _Mapping]] = ..., kill: _Optional[_Union[KillRanks, _Mapping]] = ..., goodbye: _Optional[_Union[Goodbye, _Mapping]] = ..., heartbeat: _Optional[_Union[HeartbeatReply, _Mapping]] = ..., acknowledged: _Optional[_Union[Acknowledged, _Mapping]] = ..., probe: _Optional[_Union[Probe, _Mapping]] = ..., dump_stacks: _Optional[_Union[DumpStacks, _Mapping]] = ..., save: _Optional[_Union[_rank_pb2.SaveRequest, _Mapping]] = ...) -> None: ...
