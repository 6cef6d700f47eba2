"""One catalogue of the data sets that have names: what is known of each before it is loaded."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DataSet:
    """A named data set.

    Examples
    --------
    >>> DATASETS["fashion_mnist"].label, DATASETS["fashion_mnist"].stand_in
    ('Fashion-MNIST', 'digits')
    >>> PUBLISHED
    ('cifar10', 'fashion_mnist')
    """

    label: str  #: in words, for tables and figures
    channels: int  #: C
    size: int  #: H = W in pixels
    n_train: int  #: images of the training split
    n_test: int  #: images of the test split
    stand_in: str | None = None  #: takes its place offline; None for what needs no network


#: Every data set by its name, the published ones first.
DATASETS: dict[str, DataSet] = {
    "cifar10": DataSet("CIFAR-10", 3, 32, 50_000, 10_000, stand_in="photos"),
    "fashion_mnist": DataSet("Fashion-MNIST", 1, 28, 60_000, 10_000, stand_in="digits"),
    "photos": DataSet("crops of two photographs", 3, 32, 5_700, 1_700),
    "digits": DataSet("scikit-learn's digits", 1, 28, 1_437, 360),
}
#: Those of the paper.
PUBLISHED = tuple(name for name, data_set in DATASETS.items() if data_set.stand_in)
