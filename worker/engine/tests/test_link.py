"""The rank's socket: framing, a full buffer, an agent that goes."""

import socket
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moestro.v1 import rank_pb2, report_pb2
from moestro_engine.errors import AgentGoneError
from moestro_engine.link.agent_link import AgentLink
from moestro_engine.link.framing import FrameDecoder, encode_frame


def pair(outbox_bytes: int = 1 << 30) -> tuple[AgentLink, socket.socket]:
    ours, agents = socket.socketpair(socket.AF_UNIX)
    return AgentLink(ours, outbox_bytes), agents


def read_all(agent: socket.socket) -> list[rank_pb2.RankToAgent]:
    decoder, messages = FrameDecoder(), []
    while chunk := agent.recv(1 << 20):
        messages += map(rank_pb2.RankToAgent.FromString, decoder.feed(chunk))
    return messages


def big_report(step: int) -> report_pb2.StepReport:
    layer = report_pb2.LayerReport(routed=[2**31] * 20_000)
    return report_pb2.StepReport(step=step, layers=[layer])


@given(st.lists(st.binary(max_size=50)), st.integers(1, 7))
def test_frames_come_out_whole_however_the_bytes_arrive(payloads, chunk_size):
    stream = b"".join(map(encode_frame, payloads))
    decoder = FrameDecoder()
    received = [p for i in range(0, len(stream), chunk_size) for p in decoder.feed(stream[i : i + chunk_size])]
    assert received == payloads


def test_a_frame_beyond_the_limit_is_refused():
    with pytest.raises(ValueError, match="over the limit"):
        FrameDecoder().feed(b"\xff\xff\xff\xff")


def test_a_full_socket_does_not_block_and_nothing_is_lost():
    link, agent = pair()
    started = time.monotonic()
    for step in range(200):
        link.send(step=big_report(step))
    assert time.monotonic() - started < 5
    closing = threading.Thread(target=link.close)
    closing.start()
    received = read_all(agent)
    agent.close()
    closing.join()
    assert [message.step.step for message in received] == list(range(200))


def test_an_agent_that_leaves_too_much_unread_counts_as_gone_and_is_not_waited_for():
    link, agent = pair(outbox_bytes=1 << 20)
    for step in range(500):
        link.send(step=big_report(step))
    with pytest.raises(AgentGoneError, match=r"^the agent has not read 1\.\d MB of messages and is taken to have gone; "):
        link.poll()
    with pytest.raises(AgentGoneError, match="has not read"):
        link.wait()
    started = time.monotonic()
    link.close()
    assert time.monotonic() - started < 1
    agent.close()


def test_a_message_that_is_not_the_awaited_one_is_kept_for_later():
    link, agent = pair()
    for message in (
        rank_pb2.AgentToRank(stop=rank_pb2.StopRequest()),
        rank_pb2.AgentToRank(rendezvous=rank_pb2.Rendezvous(port=7)),
    ):
        agent.sendall(encode_frame(message.SerializeToString()))
    assert link.take("rendezvous").rendezvous.port == 7
    assert [message.WhichOneof("message") for message in link.poll()] == ["stop"]


def test_an_agent_that_closed_the_socket_is_gone_for_reading_and_ignored_for_writing():
    link, agent = pair()
    agent.close()
    link.send(hello=rank_pb2.RankHello(token="secret"))
    with pytest.raises(AgentGoneError):
        link.poll()
    with pytest.raises(AgentGoneError):
        link.idle(1)
    link.close()


def test_closing_reads_what_the_agent_still_sent_so_that_it_sees_a_clean_end():
    link, agent = pair()
    agent.sendall(encode_frame(rank_pb2.AgentToRank(stop=rank_pb2.StopRequest()).SerializeToString()))
    link.send(finished=rank_pb2.RankFinished(last_step=3))
    closing = threading.Thread(target=link.close)
    closing.start()
    assert [message.finished.last_step for message in read_all(agent)] == [3]
    agent.close()
    closing.join()
