"""k-means with the decisions of float64, mostly at the cost of float32.

Lloyd's iterations (1982) from k-means++ seeds (Arthur and Vassilvitskii, 2007), with the draws, the
stopping rule and the care of empty clusters of scikit-learn's `KMeans`. Two things save work and
change no decision:

- **A cheap product, and a bound on its error.** The nearest centre c of a point x is the one of the
  largest x.c - |c|^2 / 2, its *likeness*. That is computed in float32 first, where it is off by at
  most `Points.error`, in whatever order a processor adds up. If the centre that the point has leads
  by more than twice that, float64 would find the same one. Only for the other points, a few in
  a hundred, is it computed again in float64.
- **Points far from any border are not looked at** (Hamerly, 2010). A point's *lead* is at most its
  distance to the second nearest centre less that to its own. When centres move, it shrinks by no
  more than the way that its own centre went, and the farthest that another did. As long as it is
  above zero, the point stays where it is.

The sums of the clusters follow the few points that move, and are computed afresh at the end, so
that the result depends on the final clusters alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from threadpoolctl import threadpool_limits

TOLERANCE = 1e-4  # of the mean variance of a value: ends once the centres move less, squared
# Values of points that are worked on at a time: they stay in the processor's cache.
BLOCK = 2**18
UNIT = 2.0**-24  # the rounding of a float32, as a share of it
# Leads are sums of float64, off by far less than this.
LEAST_LEAD = 1e-9


class Fit(NamedTuple):
    """What came out of `lloyd`."""

    centres: np.ndarray  #: (F, d), float64
    labels: np.ndarray  #: (P,), the nearest centre of each point
    inertia: float  #: sum of squared distances to them
    n_iter: int


class Points:
    """Rows of float64 whose values are kept as sums of two float32, which hold 48 bits.

    `high` is the rounded value, as the cheap products take it, and `low` what it leaves out: their
    sum is within 2e-15 of a value of magnitude 1. Made of blocks of rows, of `size` in all at most.
    """

    def __init__(self, blocks: Iterable[np.ndarray], size: int, d: int) -> None:
        high, low = (np.empty((size, d), dtype=np.float32) for _ in range(2))
        squares, total, used = np.empty(size), np.zeros(d), 0
        for exact in blocks:
            part = slice(used, used := used + len(exact))
            high[part] = exact
            low[part] = exact - high[part]
            squares[part] = np.einsum("ij,ij->i", exact, exact)
            total += exact.sum(0)
        self.high, self.low, self.squares = high[:used], low[:used], squares[:used]
        # Memory that is new each time takes longer to fill than what is put there to compute.
        self._block = np.empty((_block_size(d), d), dtype=np.float32)
        self._exact_block = np.empty(self._block.shape)
        if used:
            self.norm = float(np.sqrt(self.squares.max()))
            self.variance = float(self.squares.mean() - np.square(total / used).sum()) / d

    def __len__(self) -> int:
        return len(self.high)

    def rounded(self, which: np.ndarray) -> np.ndarray:
        """Some of the points, a block at most, in float32: until the next call."""
        return _take(self.high, which, self._block)

    def exact(self, which: np.ndarray | slice) -> np.ndarray:
        """Some of the points, a block at most or a slice, in float64: until the next call."""
        if isinstance(which, slice):
            return np.add(self.high[which], self.low[which], dtype=np.float64)
        rows = self._exact_block[: len(which)]
        rows[:] = _take(self.high, which, self._block)
        rows += _take(self.low, which, self._block)
        return rows

    def error(self, norm: float) -> float:
        """Bound on the error of a float32 likeness, of any point to a centre of this norm at most.

        With u = `UNIT`, the two factors of each of d products are rounded (2 u), and the product
        and each sum of it with others once (d u at most, in any order); then follow half of the
        centre's square and the subtraction (2 u). The rest is for terms of u^2.
        """
        return 1.1 * (self.high.shape[1] + 5) * UNIT * norm * (self.norm + norm / 2)


def _block_size(d: int) -> int:
    return max(256, BLOCK // d)


def _take(rows: np.ndarray, which: np.ndarray, out: np.ndarray) -> np.ndarray:
    # Eight times as fast as rows[which]: "clip" spares a copy, and the indices are sound.
    return np.take(rows, which, axis=0, out=out[: len(which)], mode="clip")


def _parts(n: int, d: int) -> Iterator[slice]:
    size = _block_size(d)
    return (slice(start, min(n, start + size)) for start in range(0, n, size))


# Products of so few points gain nothing from more threads, which would wait for each other.
@threadpool_limits.wrap(limits=1, user_api="blas")
def lloyd(points: Points, n_clusters: int, *, n_init: int, max_iter: int, seed: int) -> Fit:
    """The clustering of least inertia of n_init."""
    draws = np.random.RandomState(seed)
    best = _iterate(points, *_seeds(points, n_clusters, draws), max_iter)
    for _ in range(n_init - 1):
        fit = _iterate(points, *_seeds(points, n_clusters, draws), max_iter)
        # Equal clusters that are found twice differ by rounding, and the first stays.
        if fit.inertia < (1 - 1e-12) * best.inertia:
            best = fit
    return best


def _seeds(
    points: Points, n_clusters: int, draws: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray]:
    """k-means++ seeds (F, d), and the label of the nearest of them for each point.

    For each seed some candidates are drawn by their squared distance to the nearest seed, and the
    one that lowers the sum of those most is taken.
    """
    (n, d), n_trials = points.high.shape, 2 + int(np.log(n_clusters))
    off = 4 * points.error(points.norm)
    seeds = [points.exact(np.array([draws.choice(n, p=np.full(n, 1 / n))]))[0].copy()]
    labels, ones = np.zeros(n, dtype=np.intp), np.ones(_block_size(d), dtype=np.float32)
    nearest, gains = _squared(points, np.arange(n), seeds[0]), np.empty((n, n_trials), np.float32)
    for label in range(1, n_clusters):
        drawn = np.searchsorted(nearest.cumsum(), draws.uniform(size=n_trials) * nearest.sum())
        candidates = points.exact(np.minimum(drawn, n - 1)).copy()
        columns = (2 * candidates.T).astype(np.float32)
        squares = np.square(candidates).sum(1).astype(np.float32)
        least, most = np.zeros((2, n_trials))
        for part in _parts(n, d):
            # How much closer each point would come, squared: right to less than off.
            gain = gains[part]
            np.matmul(points.high[part], columns, out=gain)
            gain -= squares
            gain += (nearest[part] - points.squares[part]).astype(np.float32)[:, None]
            for total, shift in ((least, -off), (most, off)):
                total += ones[: len(gain)] @ np.maximum(gain + np.float32(shift), 0)
        rounding = len(ones) * UNIT  # of such a sum in float32
        highest = -np.inf
        for trial in np.flatnonzero((1 + rounding) * most >= (1 - rounding) * least.max()):
            which = np.flatnonzero(gains[:, trial] > -off)
            closer = np.minimum(_squared(points, which, candidates[trial]), nearest[which])
            total = (nearest[which] - closer).sum()
            if total > highest:
                highest, seed, taken, now = total, candidates[trial], which, closer
        labels[taken[now < nearest[taken]]] = label
        nearest[taken] = now
        seeds.append(seed)
    return np.stack(seeds), labels


def _squared(points: Points, which: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Squared distances of some points to a centre."""
    found = np.empty(len(which))
    for part in _parts(len(which), len(centre)):
        apart = points.exact(which[part])
        apart -= centre
        found[part] = np.einsum("ij,ij->i", apart, apart)
    return found


def _iterate(points: Points, centres: np.ndarray, labels: np.ndarray, max_iter: int) -> Fit:
    """Lloyd's iterations from centres and the label of the nearest one for each point.

    An iteration assigns the points and then moves the centres; the last centres' own assignment
    follows, if that could differ. Ends where no point moves, or the centres hardly do.
    """
    lead = np.full(len(points), -np.inf)
    sums, counts = _sums(points, labels, len(centres)), np.bincount(labels, minlength=len(centres))
    settled = relocated = False
    for n_iter in range(1, max_iter + 1):
        if n_iter > 1:
            moved = _assign_(points, centres, labels, lead, sums, counts)
            settled = not moved and not relocated
        relocated = _fill_empty_(points, centres, labels, lead, sums, counts)
        means = sums / np.maximum(counts, 1)[:, None]
        ways = np.sqrt(np.square(means - centres).sum(1))
        centres = means
        first, second = np.sort(ways)[[-1, -2]] if len(ways) > 1 else (ways[0], 0.0)
        others = np.where(ways == first, second, first)  # the farthest that another centre went
        lead -= (ways + others)[labels]
        if settled or np.square(ways).sum() <= TOLERANCE * points.variance:
            break
    centres = _sums(points, labels, len(centres)) / np.maximum(counts, 1)[:, None]
    if not settled:
        _assign_(points, centres, labels, lead, sums, counts)
    inertia = sum(
        np.square(points.exact(part) - centres[labels[part]]).sum()
        for part in _parts(*points.high.shape)
    )
    return Fit(centres, labels, float(inertia), n_iter)


def _assign_(
    points: Points,
    centres: np.ndarray,
    labels: np.ndarray,
    lead: np.ndarray,
    sums: np.ndarray,
    counts: np.ndarray,
) -> int:
    """Bring labels, leads, sums and counts up to the centres; returns how many points moved."""
    halves = np.square(centres).sum(1) / 2
    short, short_halves = centres.astype(np.float32), halves.astype(np.float32)[:, None]
    error, moved = points.error(np.sqrt(2 * halves.max())), 0
    doubtful = np.flatnonzero(lead <= LEAST_LEAD)
    memory = np.empty(len(centres) * _block_size(centres.shape[1]), dtype=np.float32)
    for part in _parts(len(doubtful), centres.shape[1]):
        which = doubtful[part]
        out = memory[: len(short) * len(which)].reshape(len(short), -1)
        likeness = np.matmul(short, points.rounded(which).T, out=out)  # (F, n)
        likeness -= short_halves
        own, others = _own_and_others(likeness, labels[which])
        close = own - others <= 2 * error
        if close.any():
            again = which[close]
            exact = points.exact(again)
            likeness = centres @ exact.T
            likeness -= halves[:, None]
            nearest, former = likeness.argmax(0), labels[again]
            own[close], others[close] = _own_and_others(likeness, nearest)
            if (changed := nearest != former).any():
                labels[again] = nearest
                _move_(exact[changed], former[changed], nearest[changed], sums, counts)
                moved += int(changed.sum())
        squares = points.squares[which]
        nearest = squares - 2 * (own.astype(np.float64) - error)
        second = squares - 2 * (others.astype(np.float64) + error)
        lead[which] = np.sqrt(np.maximum(second, 0)) - np.sqrt(np.maximum(nearest, 0))
    return moved


def _fill_empty_(
    points: Points,
    centres: np.ndarray,
    labels: np.ndarray,
    lead: np.ndarray,
    sums: np.ndarray,
    counts: np.ndarray,
) -> bool:
    """Give clusters without points the points that are farthest from their centres, one each."""
    empty = np.flatnonzero(counts == 0)
    if len(empty) == 0:
        return False
    parts = _parts(*points.high.shape)
    apart = np.concatenate(
        [np.square(points.exact(part) - centres[labels[part]]).sum(1) for part in parts]
    )
    if apart.max() == 0:  # fewer different points than clusters
        return False
    far = np.argpartition(apart, -len(empty))[: -len(empty) - 1 : -1]
    former = labels[far]
    labels[far], lead[far] = empty, -np.inf
    for one, out, into in zip(far, former, empty, strict=True):
        _move_(points.exact(np.array([one])), np.array([out]), np.array([into]), sums, counts)
    return True


def _move_(
    rows: np.ndarray, former: np.ndarray, now: np.ndarray, sums: np.ndarray, counts: np.ndarray
) -> None:
    """Take rows out of the sums and counts of their former clusters, into those of now."""
    total, values = torch.from_numpy(sums), torch.from_numpy(rows)
    total.index_add_(0, torch.from_numpy(former), values, alpha=-1)
    total.index_add_(0, torch.from_numpy(now), values)
    counts += np.bincount(now, minlength=len(counts)) - np.bincount(former, minlength=len(counts))


def _sums(points: Points, labels: np.ndarray, n_clusters: int) -> np.ndarray:
    """Sum of the points of each cluster, (F, d), in the points' order."""
    sums = torch.zeros(n_clusters, points.high.shape[1], dtype=torch.float64)
    for part in _parts(*points.high.shape):
        sums.index_add_(0, torch.from_numpy(labels[part]), torch.from_numpy(points.exact(part)))
    return sums.numpy()


def _own_and_others(likeness: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Likeness (F, n) to the labelled centre, and the largest to another; overwrites likeness."""
    places = labels * len(labels) + np.arange(len(labels))
    own = likeness.take(places)
    likeness.put(places, -np.inf)
    return own, likeness.max(0)
