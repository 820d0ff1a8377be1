"""A feature of an operation there is, and one of a formula of our own."""

import numpy as np

from features.catalog.families import FeatureFamily
from features.catalog.feature import Feature, Op


def list_features(taxonomy, attributes) -> list[Feature]:
    return [
        Feature(
            name="engagement_days_14d",
            family="ratios",
            op=Op.ACTIVE_DAYS,
            field="active_days",
            field_words="Active days",
            sub_score="engagement",
            unit="count",
            group="engagement",
            window="14d",
            words="{value} active days in the last 14 days",
            null_words="no activity so far",
            direction=1,
        ),
        Feature(
            name="actions_per_visit",
            family="ratios",
            op=Op.DERIVED,
            inputs=("engagement_count_30d", "sessions_30d"),
            field="actions_per_visit",
            field_words="Actions per visit",
            sub_score="engagement",
            unit="as given",
            words="{value} actions per visit in the last 30 days",
            null_words="no visit in the last 30 days",
        ),
    ]


def divide(actions: np.ndarray, visits: np.ndarray) -> np.ndarray:
    return actions / np.where(visits > 0, visits, np.nan)


RATIOS = FeatureFamily(list_features, formulas={"actions_per_visit": divide})
