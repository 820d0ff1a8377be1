"""The registered MLflow model, as code: it loads the bundle and answers like the server.

MLflow runs this file when it loads the model (models-from-code), so nothing is pickled.
"""

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.catalog.fit import OTHER_CATEGORY
from training.bundle import Bundle, load_bundle
from training.registry.mlflow_store import answer_frame


class Answer(pd.DataFrame):
    """The answer as a frame of numbers, whose records say None where there is no score.

    MLflow's server writes the records as they are: NaN would come out as ``NaN``, which is no JSON.
    None in the columns themselves would cost them their type, and Spark a ``double`` column.
    """

    def to_dict(self, orient: Any = "dict", **options: Any) -> Any:
        """Shape the answer as plain values."""
        plain = pd.DataFrame(self.astype(object).where(self.notna(), None))
        return plain.to_dict(orient, **options)


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
                rows[:, position] = read_codes(column, feature.categories)
            else:
                rows[:, position] = column.to_numpy(np.float64, na_value=np.nan)
        return Answer(answer_frame(self.bundle, rows))


def read_codes(column: pd.Series, categories: tuple[str, ...]) -> NDArray[np.float64]:
    """Turn a category's names into codes, as the API does: blank is not known, a new one is other.

    Missing cells may be None, NaN or pandas' NA: Spark, JSON and Arrow each have their own.
    """
    codes = {name: float(code) for code, name in enumerate(categories)}
    strange = codes.get(OTHER_CATEGORY, np.nan)
    numbers, names = pd.factorize(column)  # a missing cell has the number -1: the last entry
    names_ = [str(name) if str(name) in codes else str(name).strip() for name in names]
    found = [codes.get(name, strange) if name else np.nan for name in names_]
    return np.array([*found, np.nan])[numbers]


mlflow.models.set_model(BundleModel())
