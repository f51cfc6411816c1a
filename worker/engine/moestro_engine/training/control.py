"""What the control plane asks of this run, as rank 0 hears it and all ranks learn it."""

from moestro.v1 import rank_pb2
from moestro_engine.errors import AgentGoneError
from moestro_engine.link.protocol import Link
from moestro_engine.training.coefficients import CoefficientBook


class Control:
    """Reads the agent's messages at a step's end. Only rank 0 is sent any; the others watch for the socket's end."""

    def __init__(self, link: Link, book: CoefficientBook, strict: bool) -> None:
        self.book = book
        self.stop = False
        self.stop_with_checkpoint = False
        self._save = False
        self.agent_gone: AgentGoneError | None = None
        self._link = link
        self._strict = strict

    def listen(self, step: int, last_step: int) -> None:
        """Take what has arrived by the end of ``step``.

        In strict mode wait for the values of the next step, for as long as the agent lives; a request
        to stop ends the wait, for there will be no next step.
        """
        try:
            messages = self._link.poll()
            self._take(messages, step)
            while self._strict and step < last_step and not self.stop and not self.book.has(step + 1):
                self._take(self._link.wait(), step)
        except AgentGoneError as gone:
            self.agent_gone = gone

    def _take(self, messages: list[rank_pb2.AgentToRank], step: int) -> None:
        for message in messages:
            match message.WhichOneof("message"):
                case "coefficients":
                    self.book.offer(message.coefficients, step)
                case "stop":
                    self.stop = True
                    self.stop_with_checkpoint |= message.stop.checkpoint
                case "save":
                    self._save = True

    def take_save(self) -> bool:
        """Whether a checkpoint was asked for since the last call."""
        asked, self._save = self._save, False
        return asked
