"""HubSpot's landed tables: CRM objects, the company's properties on them, and their past.

Belongs here: declarations only. Which property fills a column, and which association, is said in
`ingestion/crm/hubspot_objects.yaml` and in a company's own file laid over it.

Associations land with the record they were read for: one id where a record has one (its company), a
JSON list of `{"id": …, "label": …}` where it has many (the contacts of a deal, one entry a label).
"""

from __future__ import annotations

from ingestion.schemas import words
from ingestion.schemas.model import Column, Table, Type

T, N, F, B, AT, D, M, J = (
    Type.TEXT,
    Type.BIGINT,
    Type.DOUBLE,
    Type.BOOLEAN,
    Type.TIMESTAMP,
    Type.DATE,
    Type.AMOUNT,
    Type.JSON,
)
C = Column

BASE = (
    C("id", T, "HubSpot's record id, digits.", required=True),
    C("is_deleted", B, "Whether the record is archived or gone.", required=True),
    C("created_at", AT, "When the record was created.", required=True, is_past=True),
    C(
        "updated_at",
        AT,
        "When anybody or anything last changed the record.",
        required=True,
        is_past=True,
    ),
)
COMPANY = C("company_id", T, "Company associated, the primary one if there are several.")
CONTACT = C("contact_id", T, "Contact associated, the first if there are several.")
CONTACTS = C("contacts", J, "Contacts associated, one entry a label.")
OWNER = C("owner_id", T, "Owner of the record.")
MERGED = C("merged_ids", T, "Records merged into this one, ';' between.")
TWO_WAY = C("is_two_way", B, "Whether the customer took part rather than only received.")
ACKNOWLEDGED = C("acknowledged_on", D, "Date on which the customer confirmed the value reported.")


def _table(name: str, doc: str, *fields: Column) -> Table:
    return Table("hubspot", name, doc, ("id",), (*BASE, *fields))


def _history(name: str, of: str) -> Table:
    return _table(
        name,
        f"A value that a property of a {of} has had, from when on.",
        C(f"{of}_id", T, f"The {of}.", required=True),
        C("property", T, "Internal name of the property.", required=True),
        C("value", T, "Value from then on; empty where it was cleared."),
    )


def _engagement(name: str, doc: str, *fields: Column) -> Table:
    return _table(
        name,
        doc,
        COMPANY,
        C("deal_id", T, "Deal associated, the first if there are several."),
        CONTACTS,
        OWNER,
        C("timestamp", AT, "When it took place.", needed=True),
        *fields,
        TWO_WAY,
        ACKNOWLEDGED,
    )


TABLES: tuple[Table, ...] = (
    _table(
        "company",
        "A version of a customer or prospect company.",
        C("name", T, "Company's name.", needed=True),
        C("domain", T, "Domain of its web site; helps matching."),
        C("type", T, "Kind: Customer, Prospect, …"),
        C("industry", T, "Industry."),
        C("country", T, "Country."),
        C("number_of_employees", N, "Employees of the company.", minimum=0),
        OWNER,
        C("parent_company_id", T, "Parent company."),
        MERGED,
        C(
            "segment",
            T,
            "SMB, mid-market or enterprise.",
            words=words.SEGMENTS,
        ),
        C("region", T, "Sales region."),
        C(
            "acquisition_origin",
            T,
            "How the customer came: new_prospect, alumni_led, boomerang, …",
            words=words.ORIGINS,
        ),
        C("stripe_customer_id", T, "Customer in Stripe (cus_…)."),
        C("workspace_id", T, "Workspace in the product."),
        C("is_test", B, "Whether it is a test company."),
        C("displaced_competitor", T, "Competitor replaced at the start."),
    ),
    _table(
        "contact",
        "A version of a person at a company.",
        C("company_id", T, "Primary company.", needed=True),
        C("first_name", T, "First name.", pii=True),
        C("last_name", T, "Last name.", pii=True),
        C("email", T, "E-mail address.", pii=True),
        C("title", T, "Job title."),
        C("level", T, "end_user, manager or director_plus.", words=words.LEVELS),
        C("roles", T, "Roles, ';' between: champion, sponsor, economic_buyer, admin, user."),
        C(
            "consent_basis",
            T,
            "Lawful basis of contact.",
            words=words.CONSENT_BASES,
        ),
        C(
            "departure_terms",
            T,
            "Terms on which the person left.",
            words=words.DEPARTURE_TERMS,
        ),
        C("left_on", D, "Date on which the person left the company."),
        C("former_contact_id", T, "Same person's contact at a former company."),
        C("has_opted_out_of_email", B, "Whether the person opted out of e-mail."),
        MERGED,
        C("merge_times", T, "Records merged into this one, each with milliseconds: id:ms;id:ms."),
    ),
    _table(
        "deal",
        "A version of a deal: new business, renewal, expansion or win-back.",
        COMPANY,
        CONTACTS,
        C("name", T, "Deal's name."),
        C(
            "type",
            T,
            "newbusiness, existingbusiness (HubSpot's own), renewal or winback.",
            words=("newbusiness", "existingbusiness", "renewal", "expansion", "winback"),
            decides=True,
        ),
        C("pipeline_id", T, "Pipeline."),
        C("stage_id", T, "Internal name of the stage; see pipeline_stage for its label."),
        C("is_won", B, "Whether it was won.", needed=True),
        C("is_closed", B, "Whether it is decided.", needed=True),
        C("amount", M, "Value in major units of its currency.", needed=True),
        C("currency", T, "Three-letter ISO code; empty in single-currency accounts."),
        C("close_date", D, "Date closed or expected to close."),
        OWNER,
        C("lead_source", T, "Where the lead came from."),
        C("campaign_id", T, "Campaign credited."),
        C("contract_start_on", D, "Start of the contract."),
        C("contract_term_months", N, "Term in months.", minimum=0),
        C("loss_reason", T, "Why it was lost."),
        C("lost_to_competitor", T, "Competitor that won."),
        C("acquisition_cost_usd", M, "Cost of winning it, USD."),
        C("billing_subscription_id", T, "Subscription in Stripe (sub_…)."),
        C("is_rip_and_replace", B, "Whether another vendor was replaced."),
    ),
    _table(
        "ticket",
        "A version of a support ticket. Subject and text are not loaded.",
        COMPANY,
        CONTACT,
        OWNER,
        C(
            "type",
            T,
            "question, problem, bug or feature_request.",
            words=("question", "problem", "bug", "feature_request"),
        ),
        C("priority", T, "LOW, MEDIUM, HIGH or URGENT."),
        C("pipeline_id", T, "Pipeline."),
        C("stage_id", T, "Internal name of the status; see pipeline_stage for its label."),
        C("origin", T, "Channel."),
        C("closed_at", AT, "When closed."),
        C("first_response_at", AT, "When first answered by a person."),
        C("csat_score", F, "Satisfaction stated on closing (1-5)."),
        C("handoffs", N, "Times handed to another agent.", minimum=0),
        C("is_bug_confirmed", B, "Whether a defect was confirmed."),
    ),
    _engagement(
        "call",
        "A version of a call. Title and notes are not loaded.",
        C("type", T, "Call type of the account's own, where it has them."),
        C("status", T, "COMPLETED, NO_ANSWER, BUSY, …"),
        C("duration_ms", N, "Milliseconds.", minimum=0),
    ),
    _engagement(
        "email",
        "A version of a logged e-mail. Subject and text are not loaded.",
        C("direction", T, "EMAIL (sent), INCOMING_EMAIL or FORWARDED_EMAIL."),
    ),
    _engagement(
        "meeting",
        "A version of a meeting. Title and notes are not loaded.",
        C("type", T, "Meeting, Visit, QBR, Training, Conference or Value report."),
        C("outcome", T, "SCHEDULED, COMPLETED, RESCHEDULED, NO_SHOW or CANCELED."),
        C("starts_at", AT, "When it starts."),
        C("ends_at", AT, "When it ends."),
    ),
    _engagement(
        "note",
        "A version of a note that stands for a touch. Its text is not loaded.",
        C("type", T, "Social or Other; empty for notes that are no touch."),
    ),
    _engagement(
        "task",
        "A version of a task. Subject and text are not loaded.",
        C("type", T, "Value report, Social or Other."),
        C("status", T, "NOT_STARTED, IN_PROGRESS, WAITING, DEFERRED or COMPLETED."),
        C("completed_at", AT, "When it was completed."),
    ),
    _table(
        "owner",
        "A version of somebody who owns records; those who have left are archived.",
        C("email", T, "E-mail address.", pii=True),
        C("first_name", T, "First name.", pii=True),
        C("last_name", T, "Last name.", pii=True),
        C("type", T, "PERSON or QUEUE."),
        C("login_id", T, "Number of the person's login."),
        C("teams", J, "Teams, the primary one marked."),
    ),
    _table(
        "user",
        "A version of a login of the company itself, with what was added about the person.",
        C("owner_id", T, "The same person as owner of records."),
        C("login_id", T, "Number of the person's login."),
        C("email", T, "E-mail address.", pii=True),
        C("first_name", T, "First name.", pii=True),
        C("last_name", T, "Last name.", pii=True),
        C("title", T, "Job title."),
        C(
            "function",
            T,
            "sales, cs, support, marketing, product, engineering or executive.",
            words=words.FUNCTIONS,
        ),
        C("hired_on", D, "First day at work."),
        C("left_on", D, "Last day at work."),
        C("destination_company_id", T, "Customer the employee moved to."),
    ),
    _table(
        "campaign",
        "A version of a marketing campaign.",
        C("name", T, "Campaign's name."),
        C("type", T, "Kind."),
        C("start_date", D, "First day."),
        C("end_date", D, "Last day."),
        C("status", T, "Status."),
        C("actual_cost", M, "Cost, USD."),
        C("audience", T, "Whom it addresses."),
    ),
    _table(
        "campaign_member",
        "A person's part in a campaign.",
        C("campaign_id", T, "Campaign associated."),
        CONTACT,
        C("status", T, "Sent, Responded, …"),
        C("has_responded", B, "Whether the person responded."),
        C("responded_on", D, "Date of the first response."),
    ),
    _table(
        "pipeline_stage",
        "A stage of a pipeline of deals or tickets.",
        C("object_type", T, "deals or tickets.", required=True),
        C("pipeline_id", T, "Pipeline.", required=True),
        C("stage_id", T, "Internal name that records carry.", required=True),
        C("label", T, "Name that people see."),
        C("is_closed", B, "Whether records in it are decided or done."),
        C("probability", F, "Share of deals expected to be won, 1 for won and 0 for lost."),
    ),
    _history("company_history", "company"),
    _history("contact_history", "contact"),
    _history("deal_history", "deal"),
)
