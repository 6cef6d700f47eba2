"""A count that papermill or a form hands over as 1e2 is a float: it is named, not sliced with."""

import numpy as np
import pytest
import torch

from patchinit import make_filters
from patchinit.data import load_images
from patchinit.filters import kmeans, principal_components, random_orthonormal, random_patches
from patchinit.moments import patch_moments
from patchinit.patches import sample_patches

IMAGES = load_images("digits").images[:20]


@pytest.mark.parametrize("wrong", [1e2, 4.0, "4", None])
@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("n", lambda n: load_images("digits").sample(n)),
        ("n_patches", lambda n: sample_patches(IMAGES, 3, n)),
        ("n_filters", lambda n: kmeans(sample_patches(IMAGES, 3, 200), n)),
        ("n_filters", lambda n: random_patches(sample_patches(IMAGES, 3, 200), n)),
        ("n_filters", lambda n: principal_components(patch_moments(IMAGES, 3), n)),
        ("shape", lambda n: make_filters("kmeans", IMAGES, (n, 1, 3, 3))),
        ("shape", lambda n: random_orthonormal((n, 1, 3, 3))),
    ],
)
def test_counts_are_integers(name, call, wrong):
    with pytest.raises(ValueError, match=rf"^{name}=.*integer"):
        call(wrong)


def test_counts_may_be_numpys_or_torchs():
    assert len(load_images("digits").sample(np.int64(5))) == 5
    assert len(sample_patches(IMAGES, 3, np.int32(7))) == 7
    shape = torch.nn.Conv2d(1, 4, 3).weight.shape
    assert make_filters("kmeans", IMAGES, tuple(np.array(shape))).filters.shape == shape
