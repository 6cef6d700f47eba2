"""What filters from data are held against: random patches, and banks that know nothing of data."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from ..patches import check_generator, plain_arithmetic, standardize_patches
from .bank import (
    FilterBank,
    Shape,
    check_dimensions_suffice,
    check_patches_suffice,
    check_shape,
    first_directions,
    with_norm,
)


@plain_arithmetic(gradients=False)
def random_patches(
    patches: Tensor,
    n_filters: int,
    *,
    norm: float | None = 1.0,
    generator: torch.Generator | None = None,
) -> FilterBank:
    """Standardised patches drawn at random, all different (the paper's section 3.4).

    A patch that points where one drawn before it does is passed over. Where the images repeat none,
    that is a draw without replacement.

    Parameters
    ----------
    patches : Tensor of shape (P, C, kh, kw)
        Raw patches, uint8 or any floating point, on any device; constant ones are never drawn.
    n_filters : int
        At most the number of different patches, constant ones and differences in brightness and
        contrast put aside.
    norm : float or None
        None: the natural norm of a standardised patch, sqrt(d).
    generator : torch.Generator, optional
        Draws the same patches on every processor.

    Returns
    -------
    FilterBank
        ``filters`` of shape (n_filters, C, kh, kw), each of mean zero.

    Raises
    ------
    TypeError, ValueError
        Fewer different patches than filters; what `standardize_patches` refuses.

    Examples
    --------
    >>> bank = random_patches(torch.rand(200, 1, 3, 3), 4)
    >>> bank.filters.flatten(1).norm(dim=1).round(decimals=3)
    tensor([1., 1., 1., 1.])
    """
    check_generator(generator)
    usable = standardize_patches(patches).patches
    n_filters = check_patches_suffice(n_filters, usable.flatten(1))
    order = torch.randperm(len(usable), generator=generator)
    chosen = first_directions(usable.flatten(1), order, n_filters)
    return FilterBank(with_norm(usable[chosen].float().cpu(), norm), "random_patches")


@plain_arithmetic(gradients=False)
def glorot_uniform(
    shape: tuple[int, ...], *, norm: float | None = None, generator: torch.Generator | None = None
) -> FilterBank:
    """Filters from U(-a, a), a = sqrt(6 / (fan_in + fan_out)); also known as Xavier uniform.

    Glorot and Bengio (2010), "Understanding the difficulty of training deep feedforward neural
    networks".

    Parameters
    ----------
    shape : tuple of int
        (F, C, kh, kw), each at least 1.
    norm : float or None
        Norm of each filter. None: as drawn, about sqrt(2 * fan_in / (fan_in + fan_out)).
    generator : torch.Generator, optional
        Of the CPU.

    Examples
    --------
    >>> filters = glorot_uniform((27, 3, 3, 3)).filters
    >>> filters.abs().max().item() <= (6 / (27 + 243)) ** 0.5
    True
    """
    check_generator(generator)
    weight = nn.init.xavier_uniform_(_empty(check_shape(shape)), generator=generator)
    return FilterBank(with_norm(weight, norm), "glorot_uniform")


@plain_arithmetic(gradients=False)
def kaiming_normal(
    shape: tuple[int, ...], *, norm: float | None = None, generator: torch.Generator | None = None
) -> FilterBank:
    """Filters from N(0, 2 / fan_in), for a layer before a ReLU; also known as He normal.

    He et al. (2015), "Delving deep into rectifiers". Parameters as for `glorot_uniform`; natural
    norm (``norm=None``): about sqrt(2).

    Examples
    --------
    >>> filters = kaiming_normal((2000, 3, 7, 7)).filters
    >>> round(filters.flatten(1).norm(dim=1).square().mean().item(), 1)
    2.0
    """
    check_generator(generator)
    weight = _empty(check_shape(shape))
    nn.init.kaiming_normal_(weight, nonlinearity="relu", generator=generator)
    return FilterBank(with_norm(weight, norm), "kaiming_normal")


@plain_arithmetic(gradients=False)
def random_orthonormal(
    shape: tuple[int, ...], *, norm: float | None = 1.0, generator: torch.Generator | None = None
) -> FilterBank:
    """A random rotation's first F rows: orthogonal filters that know nothing of the data.

    Where F = d this is the control for principal components, which are a rotation as well. Saxe,
    McClelland and Ganguli (2014), "Exact solutions to the nonlinear dynamics of learning in deep
    linear neural networks". Parameters as for `glorot_uniform`, but F is at most C*kh*kw. Natural
    norm: 1.

    Examples
    --------
    >>> flat = random_orthonormal((27, 3, 3, 3)).filters.flatten(1)
    >>> torch.allclose(flat @ flat.T, torch.eye(27), atol=1e-5)
    True
    """
    check_generator(generator)
    weight = nn.init.orthogonal_(_empty(_check_orthogonal(shape)), generator=generator)
    return FilterBank(with_norm(weight, norm), "random_orthonormal")


# Grey, blue against yellow, red against green: natural images' colour axes by variance.
_OPPONENT = [[1.0, 1.0, 1.0], [1.0, 1.0, -2.0], [1.0, -1.0, 0.0]]


@plain_arithmetic(gradients=False)
def cosine_basis(
    shape: tuple[int, ...], *, norm: float | None = 1.0, generator: torch.Generator | None = None
) -> FilterBank:
    """Waves of the discrete cosine transform in grey and two opponent colours: no data, but tidy.

    An orthonormal basis as principal components are one, and much like theirs to the eye. Where
    components do better than these, the data has added something. Ahmed, Natarajan and Rao (1974),
    "Discrete cosine transform"; the colours are those of Ruderman, Cronin and Chiao (1998),
    "Statistics of cone responses to natural images". Parameters as for `random_orthonormal`; the
    generator is unused.

    Returns
    -------
    FilterBank
        Slow waves before fast ones, and in each grey before colour. The constant grey filter comes
        last, where components of standardised patches have it. Images of other than three channels
        take a cosine transform over the channels as well. Grey copied to three channels leaves the
        colour waves without a response.

    Examples
    --------
    >>> cosine_basis((4, 1, 2, 2)).filters.flatten(1).round(decimals=3)
    tensor([[ 0.5000, -0.5000,  0.5000, -0.5000],
            [ 0.5000,  0.5000, -0.5000, -0.5000],
            [ 0.5000, -0.5000, -0.5000,  0.5000],
            [ 0.5000,  0.5000,  0.5000,  0.5000]])
    """
    check_generator(generator)
    n_filters, channels, height, width = _check_orthogonal(shape)
    colours = torch.tensor(_OPPONENT, dtype=torch.float64) if channels == 3 else cosines(channels)
    colours = colours / colours.norm(dim=1, keepdim=True)
    down, across = cosines(height), cosines(width)
    constant, *others = sorted(
        itertools.product(range(channels), range(height), range(width)),
        key=lambda wave: (wave[1] + wave[2], *wave),
    )
    basis = torch.stack(
        [
            torch.einsum("c,h,w->chw", colours[colour], down[row], across[column])
            for colour, row, column in (*others, constant)
        ]
    )
    return FilterBank(with_norm(basis[:n_filters].float(), norm), "cosine_basis")


def cosines(n: int) -> Tensor:
    """The orthonormal waves of the discrete cosine transform (type II), (n, n), constant first."""
    places = (torch.arange(n, dtype=torch.float64) + 0.5) * torch.pi / n
    waves = torch.cos(torch.arange(n, dtype=torch.float64)[:, None] * places)
    return waves / waves.norm(dim=1, keepdim=True)


def _empty(shape: Shape) -> Tensor:
    return torch.empty(shape, dtype=torch.float32)  # whatever the default dtype is


def _check_orthogonal(shape: tuple[int, ...]) -> Shape:
    """`check_shape`, for filters that are orthogonal to each other."""
    n_filters, channels, height, width = check_shape(shape)
    way_out = "no more directions than that can be orthogonal to each other"
    check_dimensions_suffice(n_filters, (channels, height, width), way_out)
    return n_filters, channels, height, width
