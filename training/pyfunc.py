"""The registered MLflow model, as code: it loads the bundle and answers like the server.

MLflow runs this file when it loads the model (models-from-code), so nothing is pickled.
"""

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd

from features.catalog.fit import OTHER_CATEGORY
from training.bundle import Bundle, load_bundle
from training.registry import answer_frame


class BundleModel(mlflow.pyfunc.PythonModel):  # type: ignore[name-defined,misc]  # lazy module
    """Scores rows of the bundle's catalogue: one column per feature, categories by name."""

    def load_context(self, context: Any) -> None:
        """Load the bundle that was logged with the model."""
        self.bundle: Bundle = load_bundle(Path(context.artifacts["bundle"]))

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Give probability, points, band, and why not where too little is known."""
        del context, params
        rows = np.full((len(model_input), len(self.bundle.catalog.features)), np.nan, np.float32)
        for position, feature in enumerate(self.bundle.catalog.features):
            column = model_input[feature.name]
            if feature.categories:
                codes = {name: code for code, name in enumerate(feature.categories)}
                strange = codes.get(OTHER_CATEGORY, np.nan)
                column = column.map(lambda cell: codes.get(cell, strange), na_action="ignore")  # noqa: B023
            rows[:, position] = column.astype("float64").to_numpy()
        return answer_frame(self.bundle, rows)


mlflow.models.set_model(BundleModel())
