"""Filters from patches: principal components, whitening, random patches; data-free baselines.

Pure functions: nothing is written into a network (see `patchinit.init`) and no global random
state is seeded. Each returns a `FilterBank` with what was learned on the way.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .patches import PatchMoments, check_images, moments_of_columns, standardize_patches

# Entries of a filter this close to the largest, as a share of it, are as large: see `fix_signs`.
SIGN_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class FilterBank:
    """Filters, and the name of the method that made them."""

    filters: Tensor  #: (F, C, kh, kw), float32
    method: str

    def __len__(self) -> int:
        return len(self.filters)


@dataclass(frozen=True, eq=False)
class PrincipalComponents(FilterBank):
    """A filter bank of eigenvectors with all d eigenvalues, largest first."""

    eigenvalues: Tensor  #: (d,), float64
    n_patches: int  #: patches that entered
    constant_share: float  #: share of all patches left out as constant, 0 to 1

    @property
    def explained(self) -> Tensor:
        """Share of the variance along each of the d components, shape (d,), sum 1."""
        return self.eigenvalues / self.eigenvalues.sum()


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


def principal_components(
    patches: Tensor | PatchMoments,
    n_filters: int,
    *,
    feature_standardize: bool = True,
    norm: float | None = 1.0,
) -> PrincipalComponents:
    """The directions in which standardised patches vary most (the paper's section 3.2).

    Patches are standardised one by one (constant ones left out), then each of the d values over
    all patches ("at the feature level"); the filters are the leading eigenvectors of the covariance
    of the result, and the feature standardisation is not undone. Largest variance first; the entry
    of largest magnitude in each filter is positive (the first of those within a thousandth of it).

    The same patches give the same filters on every processor and number of threads, up to the
    rounding of a float32, as long as the eigenvalues differ. Two that are nearly equal fix only the
    plane of their filters: any rotation within it serves as well, and rounding chooses one. In
    float64 rounding turns a filter by about 1e-14 of the largest eigenvalue over the gap to the
    nearest, so gaps that matter are below a millionth of it.

    Parameters
    ----------
    patches : Tensor of shape (P, C, kh, kw), or PatchMoments
        Raw patches, or the moments of any number of them from `patch_moments`.
    n_filters : int
        At most d = C * kh * kw.
    feature_standardize : bool
        Divide each of the d values by its standard deviation first.
    norm : float or None
        Euclidean norm of each filter. None: the natural norm, 1.

    Returns
    -------
    PrincipalComponents
        ``filters`` of shape (n_filters, C, kh, kw), orthogonal; all d ``eigenvalues``.

    Raises
    ------
    ValueError
        More filters than d, or only constant patches.

    References
    ----------
    Rabinovich, Quiroga, Ronchetti (2025), section 3.2; Chan et al. (2015), PCANet.
    """
    moments = (
        patches if isinstance(patches, PatchMoments) else moments_of(patches, standardize=True)
    )
    covariance = moments.covariance
    if feature_standardize:
        scale = covariance.diagonal().sqrt()
        scale = torch.where(scale > 0, scale, 1.0)  # a value that never varies stays as it is
        covariance = covariance / torch.outer(scale, scale)
    vectors, eigenvalues = _eigenvectors(moments, covariance, n_filters)
    filters = with_norm(vectors.float().reshape(n_filters, *moments.shape), norm)
    return PrincipalComponents(
        filters, "principal_components", eigenvalues, moments.count, moments.constant_share
    )


def pca_whitening(
    patches: Tensor | PatchMoments, n_filters: int, *, eps: float = 1e-3, norm: float | None = None
) -> PrincipalComponents:
    """Whitening filters: eigenvectors of raw patches' covariance, each over its standard deviation.

    Convolving with them gives outputs that are uncorrelated and (but for eps) of variance 1. Signs
    and nearly equal eigenvalues as for `principal_components`.

    Parameters
    ----------
    patches : Tensor of shape (P, C, kh, kw), or PatchMoments
        Taken as they are, not standardised one by one.
    n_filters : int
        At most d = C * kh * kw.
    eps : float
        Added to each eigenvalue, as a share of their mean, so that noise is not blown up.
    norm : float or None
        None: the natural norm, 1 / sqrt(eigenvalue + eps * mean eigenvalue).

    Returns
    -------
    PrincipalComponents

    References
    ----------
    Coates and Ng (2012), "Learning feature representations with k-means".
    """
    if eps <= 0:
        raise ValueError(
            f"eps={eps} should be > 0: it bounds the gain along directions without variance"
        )
    moments = (
        patches if isinstance(patches, PatchMoments) else moments_of(patches, standardize=False)
    )
    vectors, eigenvalues = _eigenvectors(moments, moments.covariance, n_filters)
    if eigenvalues[0] <= 0:
        raise ValueError(
            "all patches are the same, so there is no variance to whiten; pass images that differ"
        )
    gain = (eigenvalues + eps * eigenvalues.mean()).rsqrt()[:n_filters, None]
    filters = with_norm((vectors * gain).float().reshape(n_filters, *moments.shape), norm)
    return PrincipalComponents(
        filters, "pca_whitening", eigenvalues, moments.count, moments.constant_share
    )


def moments_of(patches: Tensor, *, standardize: bool) -> PatchMoments:
    """`PatchMoments` of patches that are already extracted, shape (P, C, kh, kw)."""
    flat = check_images(patches).flatten(1)
    # In pieces: a float64 copy of all patches at once would triple the memory.
    pieces = (part.to(torch.float64, copy=True).T[None] for part in flat.split(20_000))
    return moments_of_columns(pieces, tuple(patches.shape[2:]), standardize=standardize)


def _eigenvectors(
    moments: PatchMoments, covariance: Tensor, n_filters: int
) -> tuple[Tensor, Tensor]:
    """Leading eigenvectors as rows (n_filters, d) and all d eigenvalues.

    Largest first, signs fixed.
    """
    channels, height, width = moments.shape
    d = channels * height * width
    check_n_filters(
        n_filters,
        d,
        f"the C*kh*kw = {channels}*{height}*{width} dimensions of a patch",
        "ask for fewer, or use 'kmeans' or 'random_patches', which have no such limit",
    )
    eigenvalues, vectors = torch.linalg.eigh(covariance)
    eigenvalues, rows = eigenvalues.flip(0).clamp_min(0), vectors.T.flip(0)
    return fix_signs(rows[:n_filters]), eigenvalues


def fix_signs(rows: Tensor) -> Tensor:
    """Rows (F, d) turned so that the entry of largest magnitude is positive in each.

    Where the data is symmetric two entries can be equally large, and the last bit of a sum would
    choose between them. So entries within a thousandth of the largest count as equally large, and
    the first of them decides. A row of zeros stays as it is.
    """
    magnitudes = rows.abs()
    close = magnitudes >= (1 - SIGN_TOLERANCE) * magnitudes.amax(1, keepdim=True)
    deciding = rows.gather(1, close.byte().argmax(1, keepdim=True))  # argmax: the first of several
    return torch.where(deciding < 0, -rows, rows)


def random_patches(
    patches: Tensor,
    n_filters: int,
    *,
    norm: float | None = 1.0,
    generator: torch.Generator | None = None,
) -> FilterBank:
    """Standardised patches drawn at random without replacement (the paper's section 3.4).

    The same generator draws the same patches on every processor.

    Parameters
    ----------
    patches : Tensor of shape (P, C, kh, kw)
        Raw patches; constant ones are never drawn.
    n_filters : int
        At most the number of patches that are not constant.
    norm : float or None
        None: the natural norm of a standardised patch, sqrt(d).
    generator : torch.Generator, optional

    Returns
    -------
    FilterBank
        ``filters`` of shape (n_filters, C, kh, kw), each of mean zero.
    """
    usable = standardize_patches(patches).patches
    check_n_filters(n_filters, len(usable), "the patches that are not constant", "pass more images")
    chosen = torch.randperm(len(usable), generator=generator)[:n_filters]
    return FilterBank(with_norm(usable[chosen].float(), norm), "random_patches")


def glorot_uniform(
    shape: tuple[int, int, int, int],
    *,
    norm: float | None = None,
    generator: torch.Generator | None = None,
) -> FilterBank:
    """Filters from U(-a, a), a = sqrt(6 / (fan_in + fan_out)).

    For a convolution of shape (F, C, kh, kw).

    Natural norm (``norm=None``): about sqrt(2 * fan_in / (fan_in + fan_out)), and different from
    filter to filter; it is 1 only where F = C.

    References
    ----------
    Glorot and Bengio (2010), "Understanding the difficulty of training deep feedforward neural
    networks". Also known as Xavier uniform.
    """
    weight = torch.nn.init.xavier_uniform_(torch.empty(_check_shape(shape)), generator=generator)
    return FilterBank(with_norm(weight, norm), "glorot_uniform")


def kaiming_normal(
    shape: tuple[int, int, int, int],
    *,
    norm: float | None = None,
    generator: torch.Generator | None = None,
) -> FilterBank:
    """Filters from N(0, 2 / fan_in), for a convolution of shape (F, C, kh, kw) before a ReLU.

    Natural norm (``norm=None``): about sqrt(2).

    References
    ----------
    He et al. (2015), "Delving deep into rectifiers". Also known as He normal.
    """
    weight = torch.nn.init.kaiming_normal_(
        torch.empty(_check_shape(shape)), nonlinearity="relu", generator=generator
    )
    return FilterBank(with_norm(weight, norm), "kaiming_normal")


def random_orthonormal(
    shape: tuple[int, int, int, int],
    *,
    norm: float | None = 1.0,
    generator: torch.Generator | None = None,
) -> FilterBank:
    """A random rotation's first F rows: orthogonal filters that know nothing of the data.

    Where F = d this is the control for principal components, which are a rotation as well.

    Parameters
    ----------
    shape : tuple of int
        (F, C, kh, kw) with F at most C * kh * kw.
    norm : float or None
        None: the natural norm, 1.

    References
    ----------
    Saxe, McClelland and Ganguli (2014), "Exact solutions to the nonlinear dynamics of learning in
    deep linear neural networks".
    """
    _check_orthogonal(shape)
    weight = torch.nn.init.orthogonal_(torch.empty(shape), generator=generator)
    return FilterBank(with_norm(weight, norm), "random_orthonormal")


# Grey, blue against yellow, red against green: the colour axes of natural images,
# of most variance first.
_OPPONENT = [[1.0, 1.0, 1.0], [1.0, 1.0, -2.0], [1.0, -1.0, 0.0]]


def cosine_basis(
    shape: tuple[int, int, int, int],
    *,
    norm: float | None = 1.0,
    generator: torch.Generator | None = None,
) -> FilterBank:
    """Waves of the discrete cosine transform: tidy filters that need no data.

    In grey and in two opponent colours. An orthonormal basis of what a filter can be, as
    principal components are one, and much like theirs to the eye. Where components do better
    than these, the data has added something.

    Parameters
    ----------
    shape : tuple of int
        (F, C, kh, kw) with F at most C * kh * kw.
    norm : float or None
        None: the natural norm, 1.
    generator : torch.Generator, optional
        Unused: nothing is random.

    Returns
    -------
    FilterBank
        Slow waves before fast ones, and in each grey before colour. The constant grey filter comes
        last, where components of standardised patches have it. Images of other than three channels
        take a cosine transform over the channels as well.

    References
    ----------
    Ahmed, Natarajan and Rao (1974), "Discrete cosine transform"; Ruderman, Cronin and Chiao (1998),
    "Statistics of cone responses to natural images", for the colours.
    """
    n_filters, channels, height, width = _check_orthogonal(shape)
    colours = torch.tensor(_OPPONENT, dtype=torch.float64) if channels == 3 else _cosines(channels)
    colours = colours / colours.norm(dim=1, keepdim=True)
    waves = [
        (
            down + across,
            colour,
            down,
            torch.einsum(
                "c,h,w->chw", colours[colour], _cosines(height)[down], _cosines(width)[across]
            ),
        )
        for colour in range(channels)
        for down in range(height)
        for across in range(width)
    ]
    constant, *others = sorted(waves, key=lambda wave: wave[:3])
    basis = torch.stack([wave for *_, wave in (*others, constant)])
    return FilterBank(with_norm(basis[:n_filters].float(), norm), "cosine_basis")


def _cosines(n: int) -> Tensor:
    """The n orthonormal waves of the discrete cosine transform (type II) as rows (n, n).

    The constant one is first.
    """
    places = (torch.arange(n, dtype=torch.float64) + 0.5) * torch.pi / n
    waves = torch.cos(torch.arange(n, dtype=torch.float64)[:, None] * places)
    return waves / waves.norm(dim=1, keepdim=True)


def _check_orthogonal(shape: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """`_check_shape`, for filters that are orthogonal to each other."""
    n_filters, channels, height, width = _check_shape(shape)
    check_n_filters(
        n_filters,
        channels * height * width,
        f"the C*kh*kw = {channels}*{height}*{width} dimensions of a filter",
        "no more directions than that can be orthogonal to each other",
    )
    return n_filters, channels, height, width


def _check_shape(shape: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    if len(shape) != 4 or min(shape) < 1:
        raise ValueError(f"shape={tuple(shape)} should be (F, C, kh, kw), each at least 1")
    return tuple(shape)
