"""``baton features``: the families; ``list``: every feature; ``show``: one in full."""

import json
from pathlib import Path
from typing import Annotated

import typer

from features.errors import FeaturesError
from features.guide.choose import choose_family, get_feature, list_families, read_catalog
from features.guide.feature_docs import FAMILY_WORDS, describe_feature
from features.guide.tables import (
    build_family_table,
    build_feature_card,
    build_feature_table,
    write_csv,
    write_json,
)
from features.terminal.screen import Screen, refusals

HistoryOption = Annotated[
    Path | None,
    typer.Option("--history", help="Folder of a history: its kinds of activity and attributes."),
]
BundleOption = Annotated[
    Path | None, typer.Option("--bundle", help="Folder of a bundle: what its model reads.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON, for machines.")]
CsvOption = Annotated[bool, typer.Option("--csv", help="CSV, for spreadsheets.")]

NO_ATTRIBUTES = (
    "Fit and completeness come from the attributes of your leads: add --history FOLDER, or "
    "--bundle FOLDER."
)


features_app = typer.Typer(help="What Baton computes about a lead.", invoke_without_command=True)


@features_app.callback()
def families_command(
    context: typer.Context, history: HistoryOption = None, bundle: BundleOption = None
) -> None:
    """Show what Baton computes about a lead: families of features, with how many each has."""
    if context.invoked_subcommand is not None:
        return
    screen = Screen()
    with refusals(FeaturesError):
        catalog = read_catalog(history, bundle)
    screen.print(build_family_table(catalog, screen.room))
    families = len(list_families(catalog))
    screen.print(f"{len(catalog.features)} features in {families} families.")
    if not catalog.attributes:
        screen.print(NO_ATTRIBUTES)
    screen.print("`baton features list` shows them all, `baton features show NAME` one in full.")


@features_app.command("list")
def list_command(
    family: Annotated[
        str | None, typer.Argument(help="Only this family; the beginning of its name will do.")
    ] = None,
    history: HistoryOption = None,
    bundle: BundleOption = None,
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
) -> None:
    """List every feature: what it says, unit, window, direction, what an empty cell means."""
    with refusals(FeaturesError):
        catalog = read_catalog(history, bundle)
        features = choose_family(catalog, family)
    if as_json or as_csv:
        typer.echo((write_json if as_json else write_csv)(features, catalog))
        return
    screen = Screen()
    names = max(len(f.name) for f in features)
    for title in dict.fromkeys(f.family for f in features):
        screen.print(f"{title}: {FAMILY_WORDS.get(title, '')}".rstrip(": "), style="bold")
        own = [f for f in features if f.family == title]
        screen.print(build_feature_table(own, catalog, screen.room, names))
        screen.print()
    screen.print(
        f"{len(features)} features. ↑ ↓: more is agreed to mean a higher, a lower chance."
    )
    if not catalog.attributes and family is None:
        screen.print(NO_ATTRIBUTES)


@features_app.command("show")
def show_command(
    name: Annotated[str, typer.Argument(help="Name of a feature, such as pricing_view_count_7d.")],
    history: HistoryOption = None,
    bundle: BundleOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show everything about one feature: its meaning, its sentences, what counts towards it."""
    with refusals(FeaturesError):
        catalog = read_catalog(history, bundle)
        feature = get_feature(catalog, name)
    if as_json:
        typer.echo(json.dumps(describe_feature(feature, catalog), indent=2, ensure_ascii=False))
        return
    screen = Screen()
    screen.print(feature.name, style="bold")
    screen.print(build_feature_card(feature, catalog))
