"""How far runs are: of one run, and of all as a bar."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from .cost import epoch_flops
from .plan import PlannedRun
from .record import RunRefused, read_result
from .run import checkpoint_epoch
from .trainer import Epoch


@dataclass(frozen=True)
class State:
    """How far a planned run is."""

    #: "finished", "diverged", "under way" (a checkpoint is there), "waiting" or "refused"
    kind: str
    epochs: int = 0  #: made so far
    accuracy: float | None = None  #: 0 to 1, at the end
    why: str = ""  #: of a refusal, what is damaged or of other settings
    code: str = ""  #: digest of the code that ended it

    @property
    def ended(self) -> bool:
        return self.kind in ("finished", "diverged")


def state(run: PlannedRun, folder: Path, results: Path) -> State:
    """How far a run is, from what lies in its folder or was collected before."""
    try:
        for path in (run.record(folder), run.collected(results)):
            if path.exists():
                result = read_result(path)
                if difference := result.settings.differences(run.settings):
                    return State(
                        "refused", why=f"{path} is of other settings ({difference}); move it away"
                    )
                kind = "diverged" if result.diverged else "finished"
                accuracy, code = result.epochs[-1].test_accuracy, result.about["code"]["digest"]
                return State(kind, len(result.epochs), accuracy, code=code)
        if run.checkpoint(folder).exists():
            return State("under way", checkpoint_epoch(run.checkpoint(folder)))
    except RunRefused as error:
        return State("refused", why=str(error))
    return State("waiting")


class Progress:
    """One bar over the work of all runs, of which some epochs are made already, by the run's place.

    Work is counted in operations, since an epoch of one study may take ten times as long as one of
    another; the time left is at the speed of the epochs seen lately.
    """

    def __init__(
        self, runs: list[PlannedRun], done: dict[str, int] | None = None, *, show: bool = True
    ):
        self.runs = {run.place: run for run in runs}  # that have not ended
        self.left = {
            run.place: run.settings.epochs - (done or {}).get(run.place, 0) for run in runs
        }
        self.work = {run.place: epoch_flops(run.settings) / 1e12 for run in runs}
        self.n_runs, self.n_epochs = len(runs), 0
        total = sum(self.work[place] * left for place, left in self.left.items())
        look = "{percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"
        self.bar = tqdm(total=total, disable=not show, smoothing=0.05, bar_format=look)

    def epoch(self, place: str, epoch: Epoch) -> None:
        """An epoch of a run was made."""
        measured = f"loss {epoch.train_loss:.3f} accuracy {epoch.test_accuracy:.1%}"
        self._advance(place, 1, f"{place} {measured}")

    def ended(self, run: PlannedRun) -> None:
        """A run ended; what is left of it was made elsewhere or never comes, and takes no time."""
        del self.runs[run.place]
        self.bar.total -= self.work[run.place] * self.left.pop(run.place)
        self.bar.refresh()

    def look(self, folder: Path) -> None:
        """Take up what other processes have made, from what lies in the runs' folders."""
        for place, run in list(self.runs.items()):
            if run.record(folder).exists():
                self._advance(place, self.left[place], place)
                self.ended(run)
                continue
            # There is none yet, or it ended just now. What is wrong with one, its process tells.
            with suppress(OSError, RunRefused):
                left = run.settings.epochs - checkpoint_epoch(run.checkpoint(folder))
                if left < self.left[place]:
                    self._advance(place, self.left[place] - left, place)

    def _advance(self, place: str, n: int, text: str) -> None:
        self.n_epochs += n
        self.left[place] -= n
        number = min(self.n_runs - len(self.runs) + 1, self.n_runs)
        total = self.n_epochs + sum(self.left.values())
        self.bar.set_postfix_str(
            f"run {number}/{self.n_runs}, epoch {self.n_epochs}/{total}, {text}", refresh=False
        )
        self.bar.update(self.work[place] * n)
