"""The engine's own errors, and how any error becomes one line for a person."""

# How gloo and NCCL say that the process at the other end has ended.
LOST_PEER = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "ncclRemoteError")


class EngineError(Exception):
    """The rank cannot go on. The message is one line: where, what, rule, remedy."""


class UserError(EngineError):
    """The cause lies in what the user gave (data, settings): no retry will help."""


class AgentGoneError(Exception):
    """Nobody is left to work for: the agent closed the socket or no longer reads. The message says which."""


def is_user_error(error: BaseException) -> bool:
    """Whether the cause lies in what the user gave."""
    return isinstance(_cause(error), UserError)


def is_lost_peer(error: BaseException) -> bool:
    """Whether the failure only follows from the end of another rank."""
    cause = _cause(error)
    return not isinstance(cause, EngineError) and any(mark in str(cause) for mark in LOST_PEER)


def describe(error: BaseException) -> str:
    """One line for a person; wrappers such as the pipeline's are looked through to the cause."""
    if is_lost_peer(error):
        return "another rank has gone: a collective lost its connection"
    cause = _cause(error)
    if isinstance(cause, EngineError):
        return str(cause)
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    return f"{type(cause).__name__}: {lines[0]}" if lines else type(cause).__name__


def _cause(error: BaseException) -> BaseException:
    """The engine's own error among the causes, or else the first cause of all."""
    while not isinstance(error, EngineError) and error.__cause__ is not None:
        error = error.__cause__
    return error
