"""The paper's own numbers."""

from __future__ import annotations

from .arms import ArmKey

#: Final accuracy in percent, mean of three runs: the paper's Table 1.
TABLE_1 = {
    ("cifar10", "principal_components"): 89.52,
    ("cifar10", "glorot_uniform"): 89.43,
    ("cifar10", "kmeans"): 89.09,
    ("cifar10", "random_patches"): 88.58,
    ("fashion_mnist", "principal_components"): 92.69,
    ("fashion_mnist", "glorot_uniform"): 91.91,
    ("fashion_mnist", "kmeans"): 91.61,
}


def paper_difference(dataset: str, key: ArmKey) -> float | None:
    """An arm's final accuracy minus Glorot's, in pp; None where the paper gives none."""
    value = None if key.rest else TABLE_1.get((dataset, key.method))
    return None if value is None else value - TABLE_1[dataset, "glorot_uniform"]
