"""What a failure says of its cause."""

from moestro_engine.errors import EngineError, UserError, describe, is_lost_peer, is_user_error


def wrapped(cause: Exception) -> Exception:
    """As the pipeline wraps what fails inside it."""
    error = RuntimeError("stage 1 failed\nmore")
    error.__cause__ = cause
    return error


def test_a_connection_lost_to_a_peer_is_told_from_every_other_failure():
    lost = wrapped(RuntimeError("[gloo/transport/tcp/pair.cc:547] Connection closed by peer [127.0.0.1]:1"))
    assert is_lost_peer(lost)
    assert describe(lost) == "another rank has gone: a collective lost its connection"
    assert not is_lost_peer(ValueError("no"))
    assert not is_lost_peer(EngineError("checkpoint x: cannot write (Broken pipe)"))


def test_the_users_part_in_a_failure_is_seen_through_wrappers():
    assert is_user_error(wrapped(UserError("data.path: no")))
    assert describe(wrapped(UserError("data.path: no"))) == "data.path: no"
    assert not is_user_error(wrapped(EngineError("no space left")))
    assert describe(wrapped(ValueError("one\ntwo"))) == "ValueError: one"
