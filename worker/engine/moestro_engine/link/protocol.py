"""What the training code needs of a link to an agent."""

from typing import Protocol

from moestro.v1 import rank_pb2


class Link(Protocol):
    """Either the agent's socket or a stand-in without an agent."""

    def send(self, **message) -> None: ...

    def poll(self) -> list[rank_pb2.AgentToRank]: ...

    def wait(self) -> list[rank_pb2.AgentToRank]: ...

    def idle(self, seconds: float) -> None: ...

    def close(self, timeout_s: float = 10.0) -> None: ...
