"""The engine's own errors, and how any error becomes one line for a person."""

# How gloo and NCCL say that the process at the other end has ended.
LOST_PEER = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "ncclRemoteError")


class EngineError(Exception):
    """The rank cannot go on. The message is one line: where, what, rule, remedy."""

    user_error = False


class UserError(EngineError):
    """The cause lies in what the user gave (data, settings, disk): no retry will help."""

    user_error = True


class AgentGoneError(Exception):
    """The agent closed the socket: nobody is left to work for."""


def describe(error: BaseException) -> str:
    """One line for a person; wrappers such as the pipeline's are looked through to the cause."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, EngineError):
            return str(cause)
        error, cause = cause, cause.__cause__
    if any(mark in str(error) for mark in LOST_PEER):
        return "another rank has gone: a collective lost its connection"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
