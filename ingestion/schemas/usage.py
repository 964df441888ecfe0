"""Landed tables of product usage.

Belongs here: declarations only. `events` is partitioned by the UTC date of the (corrected) event
instant.
"""

from __future__ import annotations

from ingestion.schemas.model import Column, Table, Type

T, J, N, AT, D = Type.TEXT, Type.JSON, Type.BIGINT, Type.TIMESTAMP, Type.DATE
C = Column

TABLES: tuple[Table, ...] = (
    Table(
        "usage",
        "events",
        "One product event. Unique by message id within a load, not across loads.",
        ("message_id",),
        (
            C(
                "message_id",
                T,
                "Sender's id of the event; repeats are deliveries of the same.",
                required=True,
            ),
            C("event", T, "Event's name.", required=True),
            C(
                "event_at",
                AT,
                "When it happened: client's clock, corrected by its offset on sending.",
                required=True,
            ),
            C("received_at", AT, "When it reached the collector.", required=True),
            C("workspace_id", T, "Workspace or organisation in the product."),
            C("user_id", T, "User in the product; null for anonymous use."),
            C("anonymous_id", T, "Device's id where the user is unknown."),
            C("feature", T, "Feature used, from the properties."),
            C("properties", J, "Everything else the sender said."),
            C("source_file", T, "File that delivered it, relative to the configured place."),
            C("event_on", D, "UTC date of event_at; the partition.", required=True),
        ),
        is_versioned=False,
        partition="event_on",
    ),
    Table(
        "usage",
        "load_days",
        "An event day that a load touched.",
        ("load_id", "event_on", "received_on"),
        (
            C("load_id", T, "Load (same as _dlt_load_id).", required=True),
            C("event_on", D, "UTC date of the events.", required=True),
            C("received_on", D, "UTC date on which they were received.", required=True),
            C("row_count", N, "Events landed.", required=True),
        ),
        is_versioned=False,
    ),
    Table(
        "usage",
        "usage_monthly",
        "Usage of a workspace in a month before raw events are kept.",
        ("workspace_id", "month"),
        (
            C("workspace_id", T, "Workspace in the product.", required=True),
            C("month", D, "First day of the month.", required=True),
            C("active_users", N, "Users active in the month.", minimum=0),
            C("events", N, "Events in the month.", minimum=0),
            C("features_used", N, "Distinct features used in the month.", minimum=0),
            C("licences", N, "Seats held at the month's end.", minimum=0),
        ),
    ),
)
