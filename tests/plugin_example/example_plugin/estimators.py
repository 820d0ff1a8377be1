"""A linear model with another penalty than Baton's: scikit-learn's own parts, and nothing to export."""

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from training.estimators.design import LeadDesign


def build_elastic_net(features, random_state: int) -> Pipeline:
    return make_pipeline(
        LeadDesign(features),
        LogisticRegression(
            C=0.03, l1_ratio=0.5, solver="saga", max_iter=200, tol=1e-3, random_state=random_state
        ),
    )
