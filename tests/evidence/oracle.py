"""What the book reports from runs, computed a second time, with nothing of the companion.

From the tables and records of a folder of results alone, by the formulas of book/protocol.md, with
numpy.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

HORIZON = 50  # epochs of the restricted mean
ONLY_FOR_CLAIM_2 = {"anchor": (6, 7)}  # seeds that no other claim may use


@dataclass(frozen=True, eq=False)
class Run:
    """One line of runs.csv with what its record and epochs.csv add."""

    final: float  # of the table, percent
    correct: np.ndarray  # bool (images,)
    course: np.ndarray  # (epochs,), test accuracy in percent
    distances: np.ndarray  # (filters,), 1 - cos of start and end
    frozen: bool
    precision: str
    conditions: tuple[str, str]  # device, and code by what trains alike


Arms = dict[str, dict[int, Run]]  # by arm and seed


@dataclass(frozen=True)
class Found:
    """An estimate and its 95 % interval, which is infinite for a single seed."""

    value: float
    low: float
    high: float
    n: int


# --- Tables and records --------------------------------------------------------------------------


def read_study(name: str, results: Path) -> dict[str, Arms]:
    """The runs of a study by data set; ValueError where its table and its records disagree."""
    folder = results / name
    courses: dict[str, list[float]] = {}
    for row in _rows(folder / "epochs.csv"):
        if row["test_accuracy"]:  # the start has none
            courses.setdefault(row["run"], []).append(float(row["test_accuracy"]))
    alike = [set(entry["digests"]) for entry in _registration(results).get("same_training", [])]
    found: dict[str, Arms] = {}
    for row in _rows(folder / "runs.csv"):
        seed = int(row["seed"])
        if seed in ONLY_FOR_CLAIM_2.get(name, ()):
            continue
        settings, correct, course, distances = read_record(folder / "runs" / f"{row['run']}.npz")
        for table, listed, kept in (
            ("runs.csv", [float(row["final_accuracy"])], [correct.mean()]),
            ("epochs.csv", courses[row["run"]], course),
        ):
            # Tables have six digits.
            if len(listed) != len(kept) or not np.allclose(listed, kept, rtol=1e-5, atol=1e-6):
                raise ValueError(
                    f"{folder}/{table} gives {row['run']} other accuracies than its record "
                    f"(at the end {listed[-1]:.6f}, not {kept[-1]:.6f}); collect the study again"
                )
        code = next((min(group) for group in alike if row["code"] in group), row["code"])
        # A run that ended early keeps its last accuracy.
        course = np.append(course, [course[-1]] * (settings["epochs"] - len(course)))
        run = Run(
            100 * float(row["final_accuracy"]),
            correct,
            100 * course,
            distances,
            settings["frozen"],
            row["precision"],
            (row["device"], code),
        )
        found.setdefault(row["dataset"], {}).setdefault(row["arm"], {})[seed] = run
    return found


def read_record(path: Path) -> tuple[dict, np.ndarray, np.ndarray, np.ndarray]:
    """Settings, which test images are correct at the end, accuracy by epoch, distance by filter."""
    with np.load(path) as record:
        settings = json.loads(str(record["text"]))["settings"]
        bits = np.unpackbits(record["correct"])[: int(record["n_correct"])]
        course = record["epochs.test_accuracy"]
        start, end = record["ends"].astype(np.float64)
        if not np.isfinite(end).all():  # it diverged: the last stored that are finite
            kept = record["filters"].astype(np.float64)
            end = kept[np.isfinite(kept).all(axis=(1, 2, 3, 4))][-1]
    start, end = start.reshape(len(start), -1), end.reshape(len(end), -1)
    lengths = np.sqrt((start**2).sum(1) * (end**2).sum(1))
    return settings, bits == 1, course, 1 - (start * end).sum(1) / lengths


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _registration(results: Path) -> dict:
    path = results / "registration.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def shared_seeds(arms: Arms, *names: str, twins: bool = False) -> list[int]:
    """Seeds with a run in every arm named, made under like conditions.

    `twins` may differ in precision.
    """
    seeds = sorted(set.intersection(*(set(arms[name]) for name in names)))
    return [
        seed
        for seed in seeds
        if len({arms[name][seed].conditions for name in names}) == 1
        and (twins or len({arms[name][seed].precision for name in names}) == 1)
    ]


# --- Statistics ----------------------------------------------------------------------------------


def t_quantile(freedom: float, level: float = 0.95) -> float:
    """Beyond which, on both sides, lies 1 - level of Student's t; freedom >= 1.

    With t = sqrt(f) tan(a) the density is a power of cos(a), integrated here by Gauss's rule.
    """
    nodes, weights = np.polynomial.legendre.leggauss(100)
    log_constant = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2) - math.log(math.pi) / 2
    low, high = 0.0, math.pi / 2
    for _ in range(60):
        angle = (low + high) / 2
        # Only where there is something of the power.
        width = min(angle, 40 / math.sqrt(freedom))
        powers = (freedom - 1) * np.log(np.cos(width * (nodes + 1) / 2))
        inside = width * float(weights @ np.exp(powers + log_constant))
        low, high = (angle, high) if inside < level else (low, angle)
    return math.sqrt(freedom) * math.tan(angle)


def plain(values: np.ndarray) -> Found:
    """Mean with the t interval over seeds."""
    n, mean = len(values), float(np.mean(values))
    if n == 1:
        return Found(mean, -math.inf, math.inf, 1)
    half = t_quantile(n - 1) * math.sqrt(float(np.sum((values - mean) ** 2)) / (n - 1) / n)
    return Found(mean, mean - half, mean + half, n)


def back(found: Found, function: np.ufunc) -> Found:
    """An interval of logarithms or of Fisher's transforms, turned back."""
    if found.n == 1:
        return Found(float(function(found.value)), -math.inf, math.inf, 1)
    return Found(*(float(function(x)) for x in (found.value, found.low, found.high)), found.n)


def residual(values: Mapping[tuple[str, int], float]) -> tuple[float, int]:
    """Step 1: s squared and nu of all runs, by arm and seed."""
    arms = sorted({arm for arm, _ in values})
    seeds = sorted({seed for _, seed in values})
    freedom = len(values) - len(arms) - len(seeds) + 1
    columns = [[float(arm == a) for arm, _ in values] for a in arms]
    columns += [[float(seed == s) for _, seed in values] for s in seeds[1:]]
    design, y = np.array(columns).T, np.array(list(values.values()))
    left = y - design @ np.linalg.solve(design.T @ design, design.T @ y)
    return (float(left @ left) / freedom if freedom else math.nan), freedom


def without_twins(arms: Arms) -> dict[tuple[str, int], Run]:
    """Runs whose spread is pooled: all but those that repeat others in fp32."""
    return {
        (arm, seed): run
        for arm, runs in arms.items()
        if not arm.endswith((", fp32", ", bf16"))
        for seed, run in runs.items()
    }


def accuracy(arms: Arms, weights: Mapping[str, float]) -> Found | None:
    """Steps 2 to 5: a weighted sum of final accuracies, pp; None where nothing gives a spread."""
    seeds = shared_seeds(arms, *weights)
    pool = {key: run.final for key, run in without_twins(arms).items()}
    if not seeds or not pool or residual(pool)[1] < 1:
        return None
    s2, nu = residual(pool)
    z = np.array(
        [sum(100 * c * arms[arm][seed].correct for arm, c in weights.items()) for seed in seeds]
    )
    n, images = z.shape
    if n == 1:
        return Found(float(z.mean()), -math.inf, math.inf, 1)
    m_i = n * np.sum((z.mean(0) - z.mean()) ** 2) / (images - 1)
    m_s = images * np.sum((z.mean(1) - z.mean()) ** 2) / (n - 1)
    total = np.sum((z - z.mean()) ** 2)
    m_r = (total - (images - 1) * m_i - (n - 1) * m_s) / ((n - 1) * (images - 1))
    b = max(s2 * sum(c**2 for c in weights.values()), m_r / images)
    v = b / n + max(m_i - m_r, 0) / (n * images)
    f = v**2 / (
        (b / n) ** 2 / nu
        + (m_i / (n * images)) ** 2 / (images - 1)
        + (m_r / (n * images)) ** 2 / ((n - 1) * (images - 1))
    )
    half = t_quantile(f) * math.sqrt(v)
    return Found(float(z.mean()), float(z.mean() - half), float(z.mean() + half), n)


def speed(arms: Arms, one: str, other: str, horizon: int = HORIZON) -> Found | None:
    """Difference of the accuracies averaged over the first epochs, pp; None as for `accuracy`."""
    seeds = shared_seeds(arms, one, other)
    pool = {key: float(run.course[:horizon].mean()) for key, run in without_twins(arms).items()}
    if not seeds or not pool or residual(pool)[1] < 1:
        return None
    s2, nu = residual(pool)
    means = [[arms[arm][seed].course[:horizon].mean() for seed in seeds] for arm in (one, other)]
    value = float(np.mean(means[0]) - np.mean(means[1]))
    half = t_quantile(nu) * math.sqrt(2 * s2 / len(seeds)) if len(seeds) > 1 else math.inf
    return Found(value, value - half, value + half, len(seeds))


def ratio(arms: Arms, one: str, other: str, *, twins: bool = False) -> Found | None:
    """Mean distance of one arm over another's, a geometric mean over seeds; None without any."""
    seeds = shared_seeds(arms, one, other, twins=twins)
    if not seeds or any(arms[arm][seed].frozen for arm in (one, other) for seed in seeds):
        return None
    logs = [
        math.log(arms[one][s].distances.mean() / arms[other][s].distances.mean()) for s in seeds
    ]
    return back(plain(np.array(logs)), np.exp)


def order(arms: Arms, arm: str, *, with_last: bool) -> Found:
    """Spearman's correlation of distance and index, averaged on Fisher's scale."""
    found = []
    for run in arms[arm].values():
        distances = run.distances if with_last else run.distances[:-1]
        # Ranks, equal values sharing the mean of theirs.
        below = (distances[:, None] > distances).sum(1)
        ranks = below + ((distances[:, None] == distances).sum(1) - 1) / 2
        found.append(np.corrcoef(ranks, np.arange(len(ranks)))[0, 1])
    return back(plain(np.arctanh(np.clip(found, -0.999, 0.999))), np.tanh)


def twins_of(arms: Arms) -> list[tuple[str, str]]:
    """Arms that differ in precision alone, the one in bf16 first."""
    pairs = []
    for name in arms:
        if name.endswith(", fp32"):
            plain_name = name.removesuffix(", fp32")
            pairs += [(b, name) for b in (f"{plain_name}, bf16", plain_name) if b in arms]
    return pairs


def twin_differences(arms: Arms, one: str, other: str) -> np.ndarray:
    """Final accuracies of bf16 minus fp32, seed by seed, pp."""
    seeds = shared_seeds(arms, one, other, twins=True)
    return np.array([arms[one][seed].final - arms[other][seed].final for seed in seeds])
