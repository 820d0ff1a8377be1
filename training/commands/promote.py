"""``baton promote`` and ``baton rollback``: change the champion, with reasons, and change it back."""

import getpass
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features import clock
from features.errors import FeaturesError
from features.sources.history.folder import read_history
from features.terminal.progress import stations
from features.terminal.screen import Screen, refusals
from training.errors import TrainingError
from training.settings import TrainingSettings, silence_telemetry

if TYPE_CHECKING:
    from training.promotion.aliases import ModelPair, PromotionAction
    from training.promotion.review import Review

REFUSED = 1
"""Exit code if the two cannot be compared, or something is missing; nothing was changed."""

KEPT = 6
"""Exit code if the champion stays because the challenger is no better, or worse."""

CANNOT_TELL = 7
"""Exit code if the champion stays because there are too few later leads to tell."""

DECLINED = 8
"""Exit code if whoever was asked said no."""

ByOption = Annotated[
    str, typer.Option(help="Who changes it, for the record; by default the user of this machine.")
]
NameOption = Annotated[
    str, typer.Option(help="Name in the registry; by default that of the model in use.")
]


def promote_command(
    history: Annotated[Path, typer.Argument(help="Folder of a history with later leads.")],
    challenger: Annotated[
        str,
        typer.Option(
            help="Folder of a bundle, its version, or a version of the registry; by default the "
            "one that carries the alias challenger."
        ),
    ] = "",
    name: NameOption = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Compare and report; change nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before the change.")] = False,
    force: Annotated[
        str, typer.Option(help="Reason to promote against the verdict; it is recorded.")
    ] = "",
    by: ByOption = "",
) -> None:
    """Compare challenger and champion on leads neither was trained on; report the impact; promote.

    Exit code 0: promoted, or would be. 1: refused, with the reason. 6: kept, the challenger is no
    better or worse. 7: kept, too few later leads to tell. 8: not confirmed. Except for 1, a report is written to var/promotions.
    """
    screen = Screen()
    silence_telemetry()
    with refusals(TrainingError, FeaturesError, code=REFUSED):
        code = _promote(screen, history, challenger, name, dry_run, yes, force, by)
    if code:
        raise typer.Exit(code)


def rollback_command(
    name: NameOption = "",
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "",
    by: ByOption = "",
) -> None:
    """Restore the previous champion. A second rollback undoes the first.

    Exit code 1: there is none to go back to.
    """
    screen = Screen()
    silence_telemetry()
    with refusals(TrainingError, FeaturesError, code=REFUSED):
        from training.promotion.aliases import roll_back, write_log

        settings = TrainingSettings()
        action = _build_action(by, reason, moved=True)
        change = roll_back(settings, name, action)
        write_log(
            settings,
            {
                "at": action.at.isoformat(),
                "by": action.by,
                "action": "rollback",
                "name": change.to.name,
                "from": change.replaced.bundle_version if change.replaced else None,
                "to": change.to.bundle_version,
                "reason": reason,
            },
        )
        screen.print(change.words)


def _build_action(by: str, reason: str, *, moved: bool) -> "PromotionAction":
    from training.promotion.aliases import PromotionAction

    return PromotionAction(by or _find_user(), clock.now(), reason, moved)


def _find_user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def _promote(
    screen: Screen,
    folder: Path,
    wanted: str,
    name: str,
    dry_run: bool,
    yes: bool,
    force: str,
    by: str,
) -> int:
    from training.promotion.aliases import find_pair
    from training.promotion.report import print_review, write_report
    from training.promotion.rules import PromotionVerdict

    settings = TrainingSettings()
    pair = find_pair(settings, name, wanted)
    for warning in pair.warnings:
        screen.print(f"! {warning}", style="yellow")
    review = _review(screen, folder, pair)
    print_review(screen, review)
    verdict = review.decision.verdict
    against = {PromotionVerdict.KEEP: KEPT, PromotionVerdict.CANNOT_TELL: CANNOT_TELL}.get(
        verdict, 0
    )
    report = settings.promotions / f"{pair.champion.version}-{pair.challenger.version}"
    action = _build_action(by, force if against else "", moved=False)
    files = write_report(report, review, action)
    screen.print(f"Report  {report / 'report.md'}")
    if dry_run:
        screen.print("Nothing was changed: --dry-run.")
        return against
    if against and not force:
        screen.print('Nothing was changed. --force "REASON" promotes all the same.')
        _record(settings, review, action, files)
        return against
    if not yes and not typer.confirm("Make the challenger champion?", default=False):
        screen.print("Nothing was changed.")
        return DECLINED
    _change(screen, settings, pair, review, action, report)
    return 0


def _review(screen: Screen, folder: Path, pair: "ModelPair") -> "Review":
    from training.promotion.review import check_comparable, review

    check_comparable(pair.champion, pair.challenger)
    with stations(screen) as report:
        report("reading the history", 0.0)
        history = read_history(folder)
        report("reading the history", 1.0)
        return review(history, pair.champion, pair.challenger, progress=report)


def _change(
    screen: Screen,
    settings: TrainingSettings,
    pair: "ModelPair",
    review: "Review",
    action: "PromotionAction",
    report: Path,
) -> None:
    from training.promotion.aliases import replace_champion
    from training.promotion.report import write_report

    change = replace_champion(settings, pair, action, str(review.decision.verdict))
    done = replace(action, moved=True)
    _record(settings, review, done, write_report(report, review, done))
    screen.print(change.words, style="green")
    screen.print("`baton rollback` puts the previous one back.")


def _record(
    settings: TrainingSettings, review: "Review", action: "PromotionAction", files: list[Path]
) -> None:
    """Record a review in the log and in MLflow."""
    from training.promotion.aliases import write_log
    from training.promotion.report import find_metrics
    from training.registry.mlflow_store import log_files

    params = {
        "action": "promote" if action.moved else "keep",
        "name": review.challenger.name,
        "from": review.champion.version,
        "to": review.challenger.version,
        "verdict": str(review.decision.verdict),
        "reason": action.reason,
        "by": action.by,
    }
    write_log(settings, {"at": action.at.isoformat(), **params})
    log_files(
        settings,
        review.challenger.name,
        run_name=f"promotion {review.champion.version} {review.challenger.version}",
        tags={f"promotion_{key}": value for key, value in params.items()},
        metrics=find_metrics(review),
        files=files,
    )
