"""Looks at a lead are weighed by what was known when it was looked at."""

import numpy as np

from training.models.fit_data import weigh_snapshots


def test_later_looks_change_no_earlier_weight():
    few = weigh_snapshots(np.array([0, 0, 1]))
    more = weigh_snapshots(np.array([0, 0, 0, 0, 1]))
    np.testing.assert_allclose(few[[0, 1, 2]] / few[0], more[[0, 1, 4]] / more[0])


def test_weights_of_all_looks_would_bend_the_chance_and_these_do_not():
    # Every open lead converts with chance .2 at each look; those that do are looked at no more.
    rng = np.random.default_rng(5)
    lead, came = [], []
    for number in range(20_000):
        for _ in range(12):
            lead.append(number)
            came.append(rng.random() < 0.2)
            if came[-1]:
                break
    leads, y = np.array(lead), np.array(came, float)
    honest = np.average(y, weights=weigh_snapshots(leads))
    looks = np.bincount(leads)[leads]
    knowing_the_future = np.average(y, weights=1.0 / looks)
    assert abs(honest - 0.2) < 0.005
    assert knowing_the_future > 0.3
