"""How alike repeated answers are."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa

from pytest_behave.prepare.repeats import agreement


@given(st.integers(2, 6).flatmap(lambda k: st.lists(st.lists(st.integers(0, 3), min_size=k, max_size=k), min_size=1)))
@settings(max_examples=100)
def test_agreement_is_the_share_of_pairs_that_are_alike(by_instance):
    expected = [np.mean([a == b for a, b in itertools.combinations(answers, 2)]) for answers in by_instance]
    assert agreement(np.array(by_instance).T) == pytest.approx(expected)


def test_mean_agreement_is_the_observed_agreement_of_fleiss():
    answers = np.random.default_rng(1).integers(0, 3, (5, 200))
    counts, _ = aggregate_raters(answers.T)
    chance = ((counts.sum(axis=0) / counts.sum()) ** 2).sum()
    observed = agreement(answers).mean()
    assert (observed - chance) / (1 - chance) == pytest.approx(fleiss_kappa(counts))
