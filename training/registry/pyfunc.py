"""The registered MLflow model, as code: it loads the bundle and answers like the server.

MLflow runs this file when it logs the model, and again when it loads it (models-from-code), so
nothing is pickled. Only then is the model's own code on the path, under the name that
`training.registry.code` gives it: so Baton is imported in a method.
"""

from functools import partial
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd


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
        from training.bundle import load_bundle
        from training.frames import score_frame

        self._score = partial(score_frame, load_bundle(Path(context.artifacts["bundle"])))

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Give probability, points, band, and why not where too little is known."""
        del context, params
        return Answer(self._score(model_input))


mlflow.models.set_model(BundleModel())
