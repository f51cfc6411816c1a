"""Which coefficients apply in which step, and how rank 0 waits for them."""

import socket
import threading

import pytest

from moestro.v1 import rank_pb2
from moestro_engine.link.agent_link import AgentLink
from moestro_engine.link.framing import encode_frame
from moestro_engine.training.coefficients import CoefficientBook
from moestro_engine.training.control import Control


def entry(step: int, value: float) -> rank_pb2.Coefficients:
    return rank_pb2.Coefficients(effective_step=step, values=[value])


def linked_control(strict: bool) -> tuple[Control, socket.socket]:
    ours, agents = socket.socketpair(socket.AF_UNIX)
    book = CoefficientBook(1, [entry(1, 0.1), entry(2, 0.2)])
    book.values(1)
    return Control(AgentLink(ours), book, strict), agents


def tell(agent: socket.socket, **message) -> None:
    agent.sendall(encode_frame(rank_pb2.AgentToRank(**message).SerializeToString()))


def test_the_newest_entry_up_to_a_step_applies_in_it():
    book = CoefficientBook(1, [entry(1, 0.1), entry(3, 0.3)])
    assert [book.values(step) for step in (1, 2, 3, 4)] == [(0.1,), (0.1,), (0.3,), (0.3,)]


def test_a_late_value_is_counted_and_applies_next():
    book = CoefficientBook(1, [entry(1, 0.1)])
    assert book.values(5) == (0.1,)
    book.offer(entry(4, 0.4), current_step=5)
    assert book.num_late == 1
    assert book.values(6) == (0.4,)


def test_a_late_value_older_than_what_applies_changes_nothing():
    book = CoefficientBook(1, [entry(5, 0.5)])
    assert book.values(5) == (0.5,)
    book.offer(entry(3, 0.3), current_step=5)
    assert book.values(6) == (0.5,)


def test_values_for_another_number_of_layers_are_refused():
    with pytest.raises(ValueError, match="got 1 coefficients for 2 layers"):
        CoefficientBook(2, [entry(1, 0.1)])


def test_strict_control_waits_for_the_next_steps_values_and_for_nothing_else():
    control, agent = linked_control(strict=True)
    control.listen(step=1, last_step=9)
    assert control.book.values(2) == (0.2,)
    listening = threading.Thread(target=control.listen, args=(2, 9))
    listening.start()
    tell(agent, coefficients=entry(4, 0.4))
    listening.join(0.2)
    assert listening.is_alive(), "values of step 4 do not let step 3 begin"
    tell(agent, coefficients=entry(3, 0.3))
    listening.join(5)
    assert not listening.is_alive()
    assert [control.book.values(3), control.book.values(4)] == [(0.3,), (0.4,)]
    assert control.book.num_late == 0


def test_strict_control_does_not_wait_after_the_last_step_nor_when_asked_to_stop():
    control, agent = linked_control(strict=True)
    control.listen(step=9, last_step=9)
    tell(agent, stop=rank_pb2.StopRequest(checkpoint=True))
    control.listen(step=5, last_step=9)
    assert control.stop
    assert control.stop_with_checkpoint


def test_strict_control_stops_waiting_when_the_agent_goes():
    control, agent = linked_control(strict=True)
    agent.close()
    control.listen(step=2, last_step=9)
    assert control.agent_gone


def test_otherwise_nothing_is_waited_for():
    control, agent = linked_control(strict=False)
    control.listen(step=2, last_step=9)
    assert not control.agent_gone
    agent.close()
