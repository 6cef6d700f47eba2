"""Principal components and PCA whitening."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real

import torch
from torch import Tensor

from ..moments import PatchMoments, moments_of
from ..patches import AT_A_TIME, check_images, plain_arithmetic
from .bank import FilterBank, check_dimensions_suffice, check_n_filters, with_norm

# Entries of a filter this close to the largest, as a share of it, are as large: see `fix_signs`.
SIGN_TOLERANCE = 1e-3
# Directions of less variance than this, as a share of the largest, count as having none. Rounding
# in float32 (channels that are copies of each other, each with a scaling of its own) leaves up to
# 1e-12; 8 bits leave 1e-7 and more in images that are not made of few values.
RANK_TOLERANCE = 1e-11


@dataclass(frozen=True, eq=False)
class PrincipalComponents(FilterBank):
    """A filter bank of eigenvectors with all d eigenvalues, largest first.

    Examples
    --------
    >>> bank = principal_components(torch.rand(500, 1, 3, 3), 4)
    >>> len(bank), len(bank.explained)
    (4, 9)
    """

    eigenvalues: Tensor  #: (d,), float64
    n_patches: int  #: patches that entered
    constant_share: float  #: share of all patches left out as constant, 0 to 1

    @property
    def explained(self) -> Tensor:
        """Share of the variance along each of the d components, shape (d,), sum 1."""
        return self.eigenvalues / self.eigenvalues.sum()


@plain_arithmetic(gradients=False)
def principal_components(
    patches: Tensor | PatchMoments,
    n_filters: int,
    *,
    feature_standardize: bool = True,
    beyond_rank: bool = False,
    norm: float | None = 1.0,
) -> PrincipalComponents:
    """The directions in which standardised patches vary most (the paper's section 3.2).

    Patches are standardised one by one (constant ones left out), then each of the d values over
    all patches ("at the feature level"); the filters are the leading eigenvectors of the covariance
    of the result, and the feature standardisation is not undone. Largest variance first, with signs
    as `fix_signs` has them. Chan et al. (2015), "PCANet", learn filters so layer by layer.

    The same patches give the same filters on every processor and number of threads, up to the
    rounding of a float32, as long as the eigenvalues differ: two closer than a millionth of the
    largest fix only the plane of their filters, and rounding chooses a rotation within it.

    Parameters
    ----------
    patches : Tensor of shape (P, C, kh, kw), or PatchMoments
        Raw patches, uint8 or any floating point, on any device; or the moments of any number of
        them from `patch_moments`.
    n_filters : int
        At most the rank of the patches, which is at most d = C * kh * kw: others would be dead.
        Brightness, which standardised patches lack, is allowed as the last of d filters.
    feature_standardize : bool
        Divide each of the d values by its standard deviation first.
    beyond_rank : bool
        Give filters beyond the rank too, up to d: for looking at them.
    norm : float or None
        Euclidean norm of each filter. None: the natural norm, 1.

    Returns
    -------
    PrincipalComponents
        ``filters`` of shape (n_filters, C, kh, kw), orthogonal; all d ``eigenvalues``.

    Raises
    ------
    TypeError, ValueError
        More filters than the rank, or only constant patches; what `extract_patches` refuses.

    Examples
    --------
    >>> flat = principal_components(torch.rand(500, 3, 3, 3), 9).filters.flatten(1)
    >>> torch.allclose(flat @ flat.T, torch.eye(9), atol=1e-5)
    True
    """
    if not isinstance(feature_standardize, bool):
        raise ValueError(f"feature_standardize={feature_standardize!r} should be True or False")
    moments = _moments(patches, standardize=True)
    covariance = moments.covariance
    if feature_standardize:
        scale = covariance.diagonal().sqrt()
        scale = torch.where(scale > 0, scale, 1.0)  # a value that never varies stays as it is
        covariance = covariance / torch.outer(scale, scale)
    vectors, eigenvalues = _eigenvectors(moments, covariance, n_filters, beyond_rank)
    filters = with_norm(vectors.float().cpu().reshape(-1, *moments.shape), norm)
    return PrincipalComponents(
        filters, "principal_components", eigenvalues, moments.count, moments.constant_share
    )


@plain_arithmetic(gradients=False)
def pca_whitening(
    patches: Tensor | PatchMoments, n_filters: int, *, eps: float = 1e-3, norm: float | None = None
) -> PrincipalComponents:
    """Whitening filters: eigenvectors of raw patches' covariance, each over its standard deviation.

    Convolving with them gives outputs that are uncorrelated and (but for eps) of variance 1. Signs
    and nearly equal eigenvalues as for `principal_components`. Coates and Ng (2012), "Learning
    feature representations with k-means". Raises as those do, and where all patches are the same.

    Parameters
    ----------
    patches : Tensor of shape (P, C, kh, kw), or PatchMoments
        Taken as they are, not standardised one by one; types and devices as for
        `principal_components`.
    n_filters : int
        At most the rank of the patches, which is at most d = C * kh * kw.
    eps : float
        Above 0. Added to each eigenvalue, as a share of their mean, so that noise is not blown up.
    norm : float or None
        None: the natural norm, 1 / sqrt(eigenvalue + eps * mean eigenvalue).

    Examples
    --------
    >>> patches = torch.rand(500, 3, 3, 3)
    >>> filters = pca_whitening(patches, 4, eps=1e-6).filters
    >>> covariance = (filters.flatten(1) @ patches.flatten(1).T).cov()
    >>> torch.allclose(covariance, torch.eye(4), atol=0.01)
    True
    """
    if not (isinstance(eps, Real) and 0 < eps < float("inf")):
        raise ValueError(
            f"eps={eps!r} should be > 0 and finite: it bounds the gain along directions without "
            "variance"
        )
    moments = _moments(patches, standardize=False)
    vectors, eigenvalues = _eigenvectors(moments, moments.covariance, n_filters)
    if eigenvalues[0] <= 0:
        raise ValueError(
            "all patches are the same, so there is no variance to whiten; pass images that differ"
        )
    gain = (eigenvalues + eps * eigenvalues.mean()).rsqrt()[:n_filters, None]
    filters = with_norm((vectors * gain).float().cpu().reshape(-1, *moments.shape), norm)
    return PrincipalComponents(
        filters, "pca_whitening", eigenvalues, moments.count, moments.constant_share
    )


def _moments(patches: Tensor | PatchMoments, *, standardize: bool) -> PatchMoments:
    """Moments of patches (P, C, kh, kw), each of which is an image of one patch."""
    if isinstance(patches, PatchMoments):
        return patches
    _, _, height, width = check_images(patches).shape
    return moments_of([patches], (height, width), standardize=standardize, batch_size=AT_A_TIME)


def _eigenvectors(
    moments: PatchMoments, covariance: Tensor, n_filters: int, beyond_rank: bool = False
) -> tuple[Tensor, Tensor]:
    """Leading eigenvectors as rows (n_filters, d), signs fixed, and all d eigenvalues."""
    way_out = "ask for fewer, or use 'kmeans' or 'random_patches', which have no such limit"
    n_filters = check_dimensions_suffice(n_filters, moments.shape, way_out)
    eigenvalues, vectors = torch.linalg.eigh(covariance)
    eigenvalues, rows = eigenvalues.flip(0).clamp_min(0), vectors.T.flip(0)
    # A sum of so many patches is rounded as often.
    least = (RANK_TOLERANCE + moments.count * torch.finfo(torch.float64).eps) * eigenvalues[0]
    rank, d = int((eigenvalues > least).sum()), len(eigenvalues)
    # Standardised patches never vary in brightness: as the last of d filters that is expected.
    brightness = moments.covariance.sum().abs() <= d * least
    if rank and not beyond_rank and not (rank == d - 1 and brightness):
        what = (
            f"the rank of the patches: along the other {d - rank} of d = {d} directions they don't "
            "vary, so filters there would be dead (grey copied to several channels, empty or "
            "doubled channels, or too few images do this)"
        )
        check_n_filters(n_filters, rank, what, way_out)
    return fix_signs(rows[:n_filters]), eigenvalues


def fix_signs(rows: Tensor) -> Tensor:
    """Rows (F, d) turned so that the entry of largest magnitude is positive in each.

    Entries within a thousandth of the largest count as equally large, and the first of them
    decides: in symmetric data the last bit of a sum would. A row of zeros stays as it is.

    Examples
    --------
    >>> fix_signs(torch.tensor([[1.0, -4.0], [4.0, -1.0]]))
    tensor([[-1.,  4.],
            [ 4., -1.]])
    """
    magnitudes = rows.abs()
    close = magnitudes >= (1 - SIGN_TOLERANCE) * magnitudes.amax(1, keepdim=True)
    deciding = rows.gather(1, close.byte().argmax(1, keepdim=True))  # argmax: the first of several
    return torch.where(deciding < 0, -rows, rows)
