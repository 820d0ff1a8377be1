"""What a model owes to other packages: estimators that competed, feature families it reads."""

from dataclasses import dataclass

from features.catalog.families import find_families
from training.dataset.moments import Dataset
from training.selection.competition import Competition


@dataclass(frozen=True)
class Brought:
    """What other packages have brought to a run: by name, the package and its version."""

    estimators: dict[str, str]
    """Those that competed."""
    families: dict[str, str]
    """Those whose features the catalogue holds."""

    @property
    def sentences(self) -> list[str]:
        """Say it on the card.

        >>> Brought({"elastic net": "our-models 1.2"}, {}).sentences
        ['The estimator "elastic net" is not of Baton: our-models 1.2 brings it.']
        """
        kinds = (("estimator", self.estimators), ("feature family", self.families))
        return [
            f'The {kind} "{name}" is not of Baton: {package} brings it.'
            for kind, packages in kinds
            for name, package in packages.items()
        ]


def list_brought(dataset: Dataset, competition: Competition) -> Brought:
    """List what other packages have brought to a run."""
    candidates = [fitted.learned.candidate for fitted in competition.fitted]
    used = {feature.family for feature in dataset.catalog.features}
    return Brought(
        {one.name: one.package for one in candidates if one.package},
        {one.name: one.package for one in find_families() if one.name in used},
    )
