"""Tells people that a night failed.

Belongs here: the message and its delivery to a webhook. Must not be here: deciding what a failure
is.
"""

import os

import dagster as dg
import requests

WEBHOOK = "TENURE_ALERT_WEBHOOK"
ALERTED_TAG = "tenure/alerted"
_TIMEOUT_SECONDS = 10


def send(text: str) -> bool:
    """Post `{"text": ...}` to the webhook, as Slack, Teams and Mattermost read it.

    Returns whether it was delivered; False without a webhook. A failing webhook never fails a run.
    """
    url = os.environ.get(WEBHOOK)
    if not url:
        return False
    try:
        response = requests.post(url, json={"text": text}, timeout=_TIMEOUT_SECONDS)
    except requests.RequestException:
        return False
    return response.ok


def failure_text(job: str, run_id: str, reason: str) -> str:
    """Return the message for a failed run; readers keep the last night that was sound."""
    return (
        f"Tenure: {job} failed (run {run_id[:8]}). {reason}\n"
        "Readers still see the last sound night. Details: the run's page in Dagster."
    )


@dg.run_failure_sensor(
    name="run_failure_alert",
    description=f"Posts failed runs to the webhook in {WEBHOOK}.",
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def run_failure_alert(context: dg.RunFailureSensorContext) -> None:
    """Alert on a failed run, unless the command that ran it has done so."""
    run = context.dagster_run
    if ALERTED_TAG not in run.tags:
        send(failure_text(run.job_name, run.run_id, context.failure_event.message or ""))
