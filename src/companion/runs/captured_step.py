"""A training step as a CUDA graph: captured once for each size of batch, then replayed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

Step = Callable[..., None]  # of the parts of a batch
State = Callable[[], dict[object, Tensor]]  # every tensor that a step changes, as far as it is made


class CapturedStep:
    """A step that takes its batch from a fixed place, and is replayed there.

    All that it changes must keep its address from one call to the next. The step itself is given
    with each call: kept here it would keep its trainer alive.
    """

    def __init__(self) -> None:
        self._replays: dict[int, Step] = {}

    def __call__(self, step: Step, state: State, *batch: Tensor) -> None:
        n = len(batch[0])
        if n not in self._replays:
            self._replays[n] = _capture(step, state, *batch)
        self._replays[n](*batch)

    def forget(self) -> None:
        """What was captured holds the addresses of a state that is no more."""
        self._replays.clear()


def _capture(step: Step, state: State, *batch: Tensor) -> Step:
    fixed = [part.clone() for part in batch]
    graph = torch.cuda.CUDAGraph()
    with undone(state):
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):  # cuDNN chooses its algorithms, the optimiser makes its state
                step(*fixed)
        torch.cuda.current_stream().wait_stream(stream)
        with torch.cuda.graph(graph):
            step(*fixed)

    def replay(*batch: Tensor) -> None:
        for place, part in zip(fixed, batch, strict=True):
            place.copy_(part)
        graph.replay()

    return replay


@contextmanager
def undone(state: State) -> Iterator[None]:
    """Afterwards every tensor that a step changes has its old value, at the same address."""
    before = {name: value.detach().clone() for name, value in state().items()}
    yield
    with torch.no_grad():
        for name, value in state().items():
            # The optimiser's state, absent before its first step, starts from zero.
            value.copy_(before[name]) if name in before else value.zero_()
