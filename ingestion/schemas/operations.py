"""Tables that every source has beside its own: what was kept out, and how its shape has changed.

Belongs here: declarations only. They get anchors like any landed table, so that the transformer
finds them, typed and empty, where nothing has happened yet.
"""

from __future__ import annotations

from dataclasses import replace

from ingestion.schemas.model import Column, Table, Type

T, AT, D = Type.TEXT, Type.TIMESTAMP, Type.DATE
C = Column
SOURCES = ("stripe", "salesforce", "hubspot", "usage", "desk")

RUN = C("run_id", T, "Run that met it.")
SEEN_ON = C("seen_on", D, "Date that run was for.")

REJECTS = Table(
    "",
    "_rejects",
    "A row that was kept out, with the rule it broke.",
    ("reject_id",),
    (
        C("reject_id", T, "Same fault of the same row, same id.", required=True),
        C("source", T, "Source of the row."),
        C("table_name", T, "Table the row was meant for."),
        C("record_key", T, "The row's key, parts joined by '|'."),
        C("rule", T, "Rule broken."),
        C("field", T, "Column at fault."),
        C("message", T, "What is wrong."),
        C("remedy", T, "What to do."),
        C("raw", T, "The row as JSON, personal values blanked."),
        RUN,
        C("rejected_at", AT, "When it was kept out."),
        SEEN_ON,
    ),
    is_versioned=False,
)
SCHEMA_CHANGES = Table(
    "",
    "_schema_changes",
    "A change of a source's shape, with what was done about it.",
    ("change_id",),
    (
        C("change_id", T, "Same change, same id.", required=True),
        C("source", T, "Source that changed."),
        C("table_name", T, "Landed table it concerns."),
        C(
            "kind",
            T,
            "new_column, new_value, missing_column, renamed_column, type_change or nested_field.",
        ),
        C("field", T, "The vendor's name of the field."),
        C("detail", T, "The new word, the likely new name, or the types before and after."),
        C("outcome", T, "passed or blocked."),
        C("message", T, "What has changed."),
        C("remedy", T, "What to do."),
        SEEN_ON,
        RUN,
    ),
    is_versioned=False,
)
FIELDS = Table(
    "",
    "_fields",
    "A field that a source was found to have, and a kind of its values; the base line of drift.",
    ("table_name", "field", "kind"),
    (
        C("table_name", T, "Landed table, and the way in where it has several."),
        C("field", T, "The vendor's name of the field."),
        C("kind", T, "text, number, boolean, date, instant, object or list; empty: it is there."),
    ),
    is_versioned=False,
)
SETTLED = Table(
    "erasures",
    "settled",
    "A contact whose personal values have been erased.",
    ("contact_id",),
    (
        C("contact_id", T, "Contact in the CRM.", required=True),
        C("pseudonym", T, "What stands in place of the person, on all of their records."),
        C("settled_on", D, "Date of the night that erased."),
    ),
    is_versioned=False,
)


def tables() -> tuple[Table, ...]:
    """The tables beside each source's own, one declaration a source, and the erasures."""
    shared = (REJECTS, SCHEMA_CHANGES, FIELDS)
    return (*(replace(t, source=s) for s in SOURCES for t in shared), SETTLED)
