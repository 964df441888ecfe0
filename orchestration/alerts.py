"""Tells people how a night went: that it failed, or what it found.

Belongs here: when is told, and by whom: the command that ran a night, else a sensor. Must not be
here: the digest's words (`digest`), delivery, deciding what a failure is.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import dagster as dg
import duckdb

from orchestration import delivery, digest, summary
from orchestration.delivery import AlertSettings, AlertSettingsError, Delivery
from orchestration.installation import default_home
from orchestration.jobs import NIGHTLY
from publishing import headlines, nights, postgres
from publishing.nights import PublishError
from publishing.publish import DATABASE, read_manifest

ALERTED_TAG = "tenure/alerted"
#: Characters of a reason that are told; all of it stands in the log.
_REASON = 1500


def failure_text(
    job: str, run_id: str, reason: str, shown: str, failed_checks: Sequence[str] = ()
) -> str:
    """Return the message for a failed run; `shown` says what readers see now."""
    if len(reason) > _REASON:
        reason = f"{reason[:_REASON].rstrip()} ..."
    checks = "".join(f"{line}\n" for line in digest.listed(failed_checks))
    return (
        f"Tenure: {job} failed (run {run_id[:8]}). {reason}\n{checks}"
        f"{shown} Details: the run's page in Dagster."
    )


def seen(home: Path, run_id: str) -> str:
    """Say what readers see after a run that failed."""
    try:
        with_postgres = postgres.load_settings(home) is not None
    except PublishError:
        with_postgres = True
    return summary.seen(home / "published", run_id, with_postgres=with_postgres)


def tell_failure(settings: AlertSettings, job: str, text: str) -> list[Delivery]:
    """Bring the message of a failure to everybody; never raises."""
    subject = f"Tenure: {job} failed"
    return [delivery.deliver(settings, w, subject, text) for w in delivery.ways(settings)]


def tell_digest(
    settings: AlertSettings, published: Path, run_id: str, failed_checks: Sequence[str]
) -> list[Delivery]:
    """Tell what the night found that this run has published, once.

    Args:
        settings: where to.
        published: the folder of nights.
        run_id: the run.
        failed_checks: its checks that did not hold, for a night that does not say so itself.

    Returns:
        What became of it on each way; empty where it was told before or nothing was published.
    """
    ways = delivery.ways(settings)
    try:
        night = next(
            (n for n in nights.nights(published) if read_manifest(n.path)["run_id"] == run_id), None
        )
        if night is None or not ways:
            return []
        risks = headlines.new_risks(night.path / DATABASE)
        found = headlines.checks_not_held(night.path / DATABASE)
        checks = failed_checks if found is None else found
        announced = digest.subject(night.as_of, risks, checks)
        message = digest.text(night.as_of, risks, checks)
        return digest.tell_once(settings, published, night.as_of, announced, message)
    except (OSError, ValueError, duckdb.Error) as error:
        # The night stands, told or not.
        return [Delivery(way, f"it cannot be written ({type(error).__name__})") for way in ways]


def undelivered(deliveries: Sequence[Delivery]) -> list[str]:
    """Say of each way on which a message did not arrive, or not at everybody, why."""
    lost = [f"The {d.way} did not get the message: {d.error}." for d in deliveries if d.error]
    return lost + [f"The {d.way} got the message, but {d.remark}." for d in deliveries if d.remark]


def failed_checks(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    """Names of the checks of a run that did not hold, warnings among them."""
    logged = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    evaluations = [
        entry.dagster_event.asset_check_evaluation_data
        for entry in logged
        if entry.dagster_event is not None
    ]
    return sorted(
        {f"{'/'.join(e.asset_key.path)}: {e.check_name}" for e in evaluations if not e.passed}
    )


@dg.run_failure_sensor(
    name="run_failure_alert",
    description=f"Tells of failed runs by {delivery.WEBHOOK} and {delivery.MAIL_TO}.",
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def run_failure_alert(context: dg.RunFailureSensorContext) -> None:
    """Alert on a failed run, unless the command that ran it has done so."""
    run = context.dagster_run
    if ALERTED_TAG in run.tags:
        return
    home = default_home()
    checks = failed_checks(context.instance, run.run_id)
    reason = context.failure_event.message or ""
    text = failure_text(run.job_name, run.run_id, reason, seen(home, run.run_id), checks)

    def tell(settings: AlertSettings) -> list[Delivery]:
        told = tell_failure(settings, run.job_name, text)
        # What failed after the files were published keeps nobody from their news.
        return told + tell_digest(settings, home / "published", run.run_id, checks)

    _log(context, tell)


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    name="night_digest",
    description=(
        f"Tells what a night found by {delivery.WEBHOOK} and {delivery.MAIL_TO}: new risks, and "
        "checks that did not hold. Once for a night that is repeated without change."
    ),
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def night_digest(context: dg.RunStatusSensorContext) -> None:
    """Tell the digest of a night, unless the command that ran it has done so."""
    run = context.dagster_run
    if run.job_name != NIGHTLY or ALERTED_TAG in run.tags:
        return
    published = default_home() / "published"
    checks = failed_checks(context.instance, run.run_id)
    _log(context, lambda settings: tell_digest(settings, published, run.run_id, checks))


def _log(
    context: dg.RunStatusSensorContext, tell: Callable[[AlertSettings], list[Delivery]]
) -> None:
    try:
        deliveries = tell(delivery.load_settings(default_home()))
    except AlertSettingsError as error:
        context.log.error(str(error))
        return
    for line in undelivered(deliveries):
        context.log.warning(line)
