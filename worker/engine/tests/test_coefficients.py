"""Which coefficients apply in which step, and how rank 0 waits for them."""

import socket
import threading

import pytest
import torch

from moestro.v1 import job_pb2, rank_pb2
from moestro_engine.link.agent_link import AgentLink
from moestro_engine.link.framing import encode_frame
from moestro_engine.model.balance import StepBalance
from moestro_engine.training.boundary import Boundary, pack, unpack
from moestro_engine.training.coefficients import CoefficientBook, ControlValues
from moestro_engine.training.control import Control


def entry(step: int, value: float) -> rank_pb2.Coefficients:
    return rank_pb2.Coefficients(effective_step=step, values=[value])


def zero(num_layers: int, num_biases: int) -> ControlValues:
    moe = job_pb2.MoeConfig(num_experts=num_biases or 4, selection_bias=num_biases > 0)
    return ControlValues.zero(job_pb2.EngineJob(model=job_pb2.ModelConfig(num_layers=num_layers), moe=moe))


def linked_control(strict: bool) -> tuple[Control, socket.socket]:
    ours, agents = socket.socketpair(socket.AF_UNIX)
    book = CoefficientBook(zero(1, 0), [entry(1, 0.1), entry(2, 0.2)])
    book.values(1)
    return Control(AgentLink(ours), book, strict), agents


def tell(agent: socket.socket, **message) -> None:
    agent.sendall(encode_frame(rank_pb2.AgentToRank(**message).SerializeToString()))


def test_the_newest_entry_up_to_a_step_applies_in_it():
    book = CoefficientBook(zero(1, 0), [entry(1, 0.1), entry(3, 0.3)])
    assert [book.values(step).coefficients for step in (1, 2, 3, 4)] == [(0.1,), (0.1,), (0.3,), (0.3,)]


def test_a_late_value_is_counted_and_applies_next():
    book = CoefficientBook(zero(1, 0), [entry(1, 0.1)])
    assert book.values(5).coefficients == (0.1,)
    book.offer(entry(4, 0.4), current_step=5)
    assert book.num_late == 1
    assert book.values(6).coefficients == (0.4,)


def test_a_late_value_older_than_what_applies_changes_nothing():
    book = CoefficientBook(zero(1, 0), [entry(5, 0.5)])
    assert book.values(5).coefficients == (0.5,)
    book.offer(entry(3, 0.3), current_step=5)
    assert book.values(6).coefficients == (0.5,)


def test_values_offered_again_change_nothing_and_are_not_late():
    book = CoefficientBook(zero(1, 0), [entry(1, 0.1)])
    book.offer(entry(3, 0.3), current_step=1)
    assert book.values(3).coefficients == (0.3,)
    book.offer(entry(3, 0.9), current_step=3)
    assert book.num_late == 0
    assert book.values(4).coefficients == (0.3,)


def test_values_for_another_number_of_layers_are_refused():
    with pytest.raises(ValueError, match="got 1 coefficients for 2 layers"):
        CoefficientBook(zero(2, 0), [entry(1, 0.1)])


def biased(step: int, *biases: list[float]) -> rank_pb2.Coefficients:
    rows = [rank_pb2.SelectionBias(values=bias) for bias in biases]
    return rank_pb2.Coefficients(effective_step=step, values=[0.0] * len(biases), biases=rows)


def test_biases_come_with_the_coefficients_and_are_zero_until_some_do():
    book = CoefficientBook(zero(2, 3), [rank_pb2.Coefficients(effective_step=1, values=[0.1, 0.2])])
    assert book.values(1).bias_LE.tolist() == [[0, 0, 0], [0, 0, 0]]
    book.offer(biased(2, [1, 2, 3], [4, 5, 6]), current_step=1)
    assert book.values(2).bias_LE.tolist() == [[1, 2, 3], [4, 5, 6]]


def test_biases_for_other_experts_or_a_model_that_takes_none_are_refused():
    with pytest.raises(ValueError, match=r"got biases of \[3, 2\] experts for 2 layers of 3"):
        CoefficientBook(zero(2, 3), [biased(1, [1, 2, 3], [4, 5])])
    with pytest.raises(ValueError, match=r"got biases of \[2\] experts for 1 layers of 0"):
        CoefficientBook(zero(1, 0), [biased(1, [1, 2])])


def test_what_applies_next_travels_through_the_collective_and_reaches_each_stages_gates():
    values = ControlValues((0.1, 0.2, 0.3), torch.arange(6, dtype=torch.float64).view(3, 2) / 7)
    device = torch.device("cpu")
    got = unpack(pack(Boundary(1, 2, 3, 0, True, False, True, values), device), 3)
    assert got.next_control.coefficients == values.coefficients
    assert torch.equal(got.next_control.bias_LE, values.bias_LE)
    assert (got.loss_sum, got.loss_tokens, got.stop, got.stop_with_checkpoint, got.save) == (1, 2, True, False, True)
    balance = StepBalance(2, job_pb2.MoeConfig(num_experts=2, top_k=1, selection_bias=True), 1.0, device)
    got.next_control.apply(balance, first_layer=1)
    torch.testing.assert_close(balance.coefficient_L, torch.tensor([0.2, 0.3]))
    torch.testing.assert_close(balance.bias_LE, values.bias_LE[1:].float())


def test_a_model_without_biases_sends_its_coefficients_only():
    vector = pack(Boundary(1, 2, 3, 0, False, False, False, zero(3, 0)), torch.device("cpu"))
    assert vector.shape == (7 + 3,)
    assert unpack(vector, 3).next_control.bias_LE.shape == (3, 0)


def test_strict_control_waits_for_the_next_steps_values_and_for_nothing_else():
    control, agent = linked_control(strict=True)
    control.listen(step=1, last_step=9)
    assert control.book.values(2).coefficients == (0.2,)
    listening = threading.Thread(target=control.listen, args=(2, 9))
    listening.start()
    tell(agent, coefficients=entry(4, 0.4))
    listening.join(0.2)
    assert listening.is_alive(), "values of step 4 do not let step 3 begin"
    tell(agent, coefficients=entry(3, 0.3))
    listening.join(5)
    assert not listening.is_alive()
    assert [control.book.values(step).coefficients for step in (3, 4)] == [(0.3,), (0.4,)]
    assert control.book.num_late == 0


def test_strict_control_does_not_wait_after_the_last_step_nor_when_asked_to_stop():
    control, agent = linked_control(strict=True)
    control.listen(step=9, last_step=9)
    tell(agent, stop=rank_pb2.StopRequest(checkpoint=True))
    control.listen(step=5, last_step=9)
    assert control.stop
    assert control.stop_with_checkpoint


def test_a_request_to_save_holds_for_one_step():
    control, agent = linked_control(strict=False)
    tell(agent, save=rank_pb2.SaveRequest())
    control.listen(step=2, last_step=9)
    assert [control.take_save(), control.take_save()] == [True, False]
    assert not control.stop
    agent.close()


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
