"""What the first layer hands on, against closed forms and responses that are worked out."""

import numpy as np
import pytest
import torch

from companion.evidence.comparisons import COMPONENTS, GLOROT
from companion.evidence.first_layer import effective_outputs, gradient_course, outputs_at_the_ends
from companion.evidence.results import read_runs
from companion.evidence.stages import Stage
from companion.runs.studies import STUDIES


def bank(rows):
    return torch.as_tensor(np.asarray(rows), dtype=torch.float32).reshape(len(rows), 1, 3, 3)


def test_uncorrelated_outputs_count_in_full_whatever_their_variance():
    covariance = torch.diag(torch.logspace(0, -3, 9))
    assert effective_outputs(bank(np.eye(9)), covariance) == pytest.approx(9)
    assert effective_outputs(5 * bank(np.eye(9)[:4]), covariance) == pytest.approx(4)


def test_copies_count_once():
    """Signs do not matter either: an output and its negative are the same up to the ReLU."""
    one = np.arange(1.0, 10)
    assert effective_outputs(bank([one, -2 * one, one]), torch.eye(9)) == pytest.approx(1)


def test_two_outputs_with_a_known_correlation():
    """The shares are (1 + r) / 2 and (1 - r) / 2; here r = 0.6."""
    filters = bank([np.eye(9)[0], 0.6 * np.eye(9)[0] + 0.8 * np.eye(9)[1]])
    wanted = np.exp(-(0.8 * np.log(0.8) + 0.2 * np.log(0.2)))
    assert effective_outputs(filters, torch.eye(9)) == pytest.approx(wanted)


def test_a_filter_without_a_response_is_named():
    covariance = torch.diag(torch.tensor([0.0] + [1.0] * 8))
    with pytest.raises(ValueError, match="filters=2 should all respond .* 1 have"):
        effective_outputs(bank(np.eye(9)[:2]), covariance)


@pytest.fixture(scope="module")
def on():
    return Stage(read_runs("grid"), STUDIES["grid"], "cifar10")


def test_ends_of_an_arm_as_the_responses_to_patches_show_them(on):
    rng = np.random.default_rng(0)
    patches = rng.standard_normal((2_000, 27)) @ rng.random((27, 27))
    arm = on.arm(COMPONENTS).among([0, 1])
    found = outputs_at_the_ends(arm, torch.from_numpy(np.cov(patches.T)))
    assert found.shape == (2, 2)
    for row, result in zip(found, arm.results, strict=True):
        for number, filters in zip(row, result.filters[[0, -1]], strict=True):
            answers = patches @ filters.reshape(27, 27).T.astype(float)
            shares = np.linalg.eigvalsh(np.corrcoef(answers.T)) / 27
            assert number == pytest.approx(np.exp(-np.sum(shares * np.log(shares))), rel=1e-6)


def test_course_of_the_gradient_is_the_geometric_mean_over_filters(on):
    arm = on.arm(GLOROT)
    course = gradient_course(arm)
    kept = arm.results[0].filter_epochs
    assert course.shape == (len(arm.seeds), len(kept)) and (course > 0).all()
    last = arm.results[2].gradient_norms[-1].astype(float)
    assert course[2, -1] == pytest.approx(np.prod(last) ** (1 / 27), rel=1e-5)


def test_reduced_runs_kept_no_gradients():
    reduced = Stage(read_runs("paper-small"), STUDIES["paper-small"], "cifar10")
    assert gradient_course(reduced.arm(GLOROT)) is None
