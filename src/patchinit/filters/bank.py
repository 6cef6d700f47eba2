"""A bank of filters, and what every method that makes one shares."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class FilterBank:
    """Filters, and the name of the method that made them."""

    filters: Tensor  #: (F, C, kh, kw), float32
    method: str

    def __len__(self) -> int:
        return len(self.filters)


def with_norm(filters: Tensor, norm: float | None) -> Tensor:
    """The filters rescaled to a Euclidean norm each; as they are if norm is None."""
    if norm is None:
        return filters
    if not 0 < norm < float("inf"):
        raise ValueError(
            f"norm={norm} should be positive and finite, or None for the method's own norm"
        )
    norms = filters.flatten(1).norm(dim=1)
    if (norms == 0).any():
        raise ValueError(
            f"filter {int((norms == 0).nonzero()[0])} is zero and can't be given norm {norm}"
        )
    return filters * (norm / norms)[:, None, None, None]


def check_n_filters(n_filters: int, limit: int, what: str, way_out: str) -> None:
    """ValueError unless 1 <= n_filters <= limit."""
    if not 1 <= n_filters <= limit:
        raise ValueError(
            f"n_filters={n_filters} should be between 1 and {limit}, {what}; {way_out}"
        )
