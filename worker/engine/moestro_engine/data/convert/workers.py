"""Worker processes, and their results in the order of the work."""

import json
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue

import numpy as np

from moestro_engine.data.convert.tasks import Task
from moestro_engine.errors import EngineError, UserError

# Pieces of work that are done or under way for each worker: more would only take memory.
AHEAD = 2


@dataclass(frozen=True)
class Piece:
    """The tokens of one task."""

    lengths: np.ndarray
    tokens: bytes
    largest_token: int
    num_empty: int
    num_input_bytes: int


class Worker:
    """One process, told and asked over pipes. Nothing but JSON and arrays of numbers goes through them."""

    def __init__(self, settings: dict, item_bytes: int) -> None:
        self._item_bytes = item_bytes
        command = [sys.executable, "-m", "moestro_engine.data.convert.worker"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._tell(settings)

    def tokenize(self, task: Task) -> Piece:
        """EngineError of the worker's, or about its end."""
        self._tell(task.to_json())
        line = self._process.stdout.readline()
        if not line.endswith(b"\n"):
            raise self._gone(task)
        answer = json.loads(line)
        if "error" in answer:
            raise (UserError if answer["user"] else EngineError)(answer["error"])
        lengths = np.frombuffer(self._read(answer["documents"] * 4, task), dtype="<i4")
        tokens = self._read(answer["tokens"] * self._item_bytes, task)
        return Piece(lengths, tokens, answer["largest"], answer["empty"], task.num_bytes)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def _tell(self, value: dict) -> None:
        try:
            self._process.stdin.write(json.dumps(value).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            # Its end is told by what it does not answer.
            pass

    def _read(self, num_bytes: int, task: Task) -> bytes:
        content = self._process.stdout.read(num_bytes)
        if len(content) < num_bytes:
            raise self._gone(task)
        return content

    def _gone(self, task: Task) -> EngineError:
        code = self._process.wait()
        how = f"was ended by signal {-code}, perhaps for lack of memory" if code < 0 else f"ended with code {code}"
        return EngineError(f"{task.files[0]}: the worker that read it {how}; use fewer --workers, or see above")


def tokenize_in_order(tasks: list[Task], num_workers: int, settings: dict, item_bytes: int) -> Iterator[Piece]:
    """The results of all tasks, in their order; the processes are gone when this ends, however it ends."""
    workers = [Worker(settings, item_bytes) for _ in range(min(num_workers, len(tasks)))]
    idle: SimpleQueue[Worker] = SimpleQueue()
    for worker in workers:
        idle.put(worker)

    def run(task: Task) -> Piece:
        worker = idle.get()
        try:
            return worker.tokenize(task)
        finally:
            idle.put(worker)

    threads = ThreadPoolExecutor(max(1, len(workers)))
    under_way: deque[Future[Piece]] = deque()
    try:
        for task in tasks:
            under_way.append(threads.submit(run, task))
            if len(under_way) >= AHEAD * len(workers):
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        for future in under_way:
            future.cancel()
        # A thread that waits for a process goes on once that has ended.
        for worker in workers:
            worker.kill()
        threads.shutdown()
