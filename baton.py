"""The one command line: mounts the command groups of the three floors. Nothing else."""

import typer

from features.compute.commands import compute_command
from features.guide.commands import families_command, list_command, show_command
from features.simulation.commands import simulate_command
from features.sources.commands import import_command
from serving.audit_log.commands import audit_log_app
from serving.auth.commands import keys_app, people_app
from serving.commands import serve_command
from serving.handoff.playbook.agree_command import agree_command
from serving.handoff.playbook.commands import playbook_app
from serving.handoff.replay.command import replay_command
from serving.monitoring.commands import drift_command
from serving.privacy.commands import leads_app
from serving.store.commands import store_app
from serving.worker_command import worker_command
from training.commands.audit import audit_command
from training.commands.backtest import backtest_command
from training.commands.cold_start import cold_start_command
from training.commands.promote import promote_command, rollback_command
from training.commands.recalibrate import recalibrate_command
from training.commands.score import score_command
from training.commands.train import train_command

app = typer.Typer(
    name="baton",
    help="Which leads will convert, why, and when to hand them over.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("import")(import_command)
app.command("simulate")(simulate_command)
app.command("cold-start")(cold_start_command)
app.command("audit")(audit_command)
app.command("train")(train_command)
app.command("backtest")(backtest_command)
app.command("recalibrate")(recalibrate_command)
app.command("promote")(promote_command)
app.command("rollback")(rollback_command)
app.command("score")(score_command)
app.command("serve")(serve_command)
app.command("worker")(worker_command)
app.command("drift")(drift_command)

app.add_typer(store_app, name="store")
app.add_typer(keys_app, name="keys")
app.add_typer(people_app, name="people")
app.add_typer(leads_app, name="leads")
app.add_typer(audit_log_app, name="audit-log")

features_app = typer.Typer(help="What Baton computes about a lead.", invoke_without_command=True)
features_app.callback()(families_command)
features_app.command("list")(list_command)
features_app.command("show")(show_command)
features_app.command("compute")(compute_command)
app.add_typer(features_app, name="features")
playbook_app.command("replay")(replay_command)
playbook_app.command("agree")(agree_command)
app.add_typer(playbook_app, name="playbook")


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
