"""Salesforce's landed tables: standard objects and the company's fields on them.

Belongs here: declarations only, columns named as the snake_case of the field API names. Which
fields are asked for is derived from these declarations; additional fields come through
configuration.
"""

from __future__ import annotations

from ingestion.schemas import words
from ingestion.schemas.model import Column, Table, Type

T, N, F, B, AT, D, M = (
    Type.TEXT,
    Type.BIGINT,
    Type.DOUBLE,
    Type.BOOLEAN,
    Type.TIMESTAMP,
    Type.DATE,
    Type.AMOUNT,
)
C = Column

BASE = (
    C("id", T, "Salesforce id, 18 characters.", required=True),
    C("is_deleted", B, "Whether the record is in the recycle bin or erased.", required=True),
    C("created_date", AT, "When the record was created.", required=True, is_past=True),
    C(
        "system_modstamp",
        AT,
        "When anybody or anything last changed the record.",
        required=True,
        is_past=True,
    ),
)
ACCOUNT = C("account_id", T, "Account (001…).")
OWNER = C("owner_id", T, "User who owns the record (005…).")
ACKNOWLEDGED = C(
    "acknowledged_on__c", D, "Date on which the customer confirmed the value reported."
)
TWO_WAY = C("is_two_way__c", B, "Whether the customer took part rather than only received.")
WHAT = C("what_id", T, "Record it is about: account, opportunity, case, …")
WHO = C("who_id", T, "Main contact or lead.")
# Salesforce's own stages and the short forms many organisations keep. An organisation's others are
# added in its own file of objects (`words`).
STAGES = (
    "Prospecting",
    "Qualification",
    "Needs Analysis",
    "Value Proposition",
    "Id. Decision Makers",
    "Perception Analysis",
    "Proposal",
    "Proposal/Price Quote",
    "Negotiation",
    "Negotiation/Review",
    "Closed Won",
    "Closed Lost",
)


def _table(name: str, doc: str, *fields: Column) -> Table:
    return Table("salesforce", name, doc, ("id",), (*BASE, *fields))


def _history(name: str, parent: str, of: str) -> Table:
    return _table(
        name,
        f"A change of a tracked field of {of}.",
        C(parent, T, f"The {of} changed.", required=True),
        C("field", T, "Field API name.", required=True),
        C("old_value", T, "Value before."),
        C("new_value", T, "Value after."),
    )


TABLES: tuple[Table, ...] = (
    _table(
        "account",
        "A version of a customer or prospect company.",
        C("name", T, "Company's name.", needed=True),
        C(
            "type",
            T,
            "Kind: Customer, Prospect, …",
            words=("Prospect", "Customer", "Former Customer"),
        ),
        C("industry", T, "Industry."),
        C("billing_country", T, "Country of the billing address."),
        C("number_of_employees", N, "Employees of the company.", minimum=0),
        C("website", T, "Web site; its domain helps matching."),
        OWNER,
        C("parent_id", T, "Parent account."),
        C("master_record_id", T, "Survivor, if this record lost a merge."),
        C(
            "segment__c",
            T,
            "SMB, mid-market or enterprise.",
            words=words.SEGMENTS,
        ),
        C("region__c", T, "Sales region."),
        C(
            "acquisition_origin__c",
            T,
            "How the customer came: new_prospect, alumni_led, boomerang, …",
            words=words.ORIGINS,
        ),
        C("stripe_customer_id__c", T, "Customer in Stripe (cus_…)."),
        C("workspace_id__c", T, "Workspace in the product."),
        C("is_test__c", B, "Whether it is a test account."),
        C("displaced_competitor__c", T, "Competitor replaced at the start."),
    ),
    _table(
        "contact",
        "A version of a person at a company.",
        C("account_id", T, "Account (001…).", needed=True),
        C("first_name", T, "First name.", pii=True),
        C("last_name", T, "Last name.", pii=True),
        C("email", T, "E-mail address.", pii=True),
        C("title", T, "Job title."),
        C("level__c", T, "end_user, manager or director_plus.", words=words.LEVELS),
        C("roles__c", T, "Roles, ';' between: champion, sponsor, economic_buyer, admin, user."),
        C(
            "consent_basis__c",
            T,
            "Lawful basis of contact.",
            words=words.CONSENT_BASES,
        ),
        C(
            "departure_terms__c",
            T,
            "Terms on which the person left.",
            words=words.DEPARTURE_TERMS,
        ),
        C("left_on__c", D, "Date on which the person left the company."),
        C("former_contact_id__c", T, "Same person's contact at a former company."),
        C("has_opted_out_of_email", B, "Whether the person opted out of e-mail."),
        C("master_record_id", T, "Survivor, if this record lost a merge."),
    ),
    _table(
        "user",
        "A version of an employee of the company itself.",
        C("name", T, "Full name.", pii=True),
        C("email", T, "E-mail address.", pii=True),
        C("title", T, "Job title."),
        C("department", T, "Department."),
        C("is_active", B, "Whether the user may log in."),
        C(
            "function__c",
            T,
            "sales, cs, support, marketing, product, engineering or executive.",
            words=words.FUNCTIONS,
        ),
        C("hired_on__c", D, "First day at work."),
        C("left_on__c", D, "Last day at work."),
        C("destination_account_id__c", T, "Customer the employee moved to."),
    ),
    _table(
        "opportunity",
        "A version of a deal: new business, renewal, expansion or win-back.",
        C("account_id", T, "Account (001…).", needed=True),
        C("name", T, "Deal's name."),
        C(
            "type",
            T,
            "New Business, Renewal, Expansion or Win-back.",
            words=("New Business", "Renewal", "Expansion", "Win-back"),
            decides=True,
        ),
        C("stage_name", T, "Stage.", words=STAGES, decides=True),
        C("is_won", B, "Whether it was won.", needed=True),
        C("is_closed", B, "Whether it is decided.", needed=True),
        C("amount", M, "Value in major units of its currency.", needed=True),
        C(
            "currency_iso_code",
            T,
            "Three-letter ISO code; absent in single-currency organisations.",
        ),
        C("close_date", D, "Date closed or expected to close."),
        OWNER,
        C("lead_source", T, "Where the lead came from."),
        C("campaign_id", T, "Campaign credited."),
        C("contract_start_date__c", D, "Start of the contract."),
        C("contract_term_months__c", N, "Term in months.", minimum=0),
        C("loss_reason__c", T, "Picklist: why it was lost."),
        C("loss_reason_detail__c", T, "Picklist: finer reason."),
        C("lost_to_competitor__c", T, "Competitor that won."),
        C("acquisition_cost__c", M, "Cost of winning it, USD."),
        C("stripe_subscription_id__c", T, "Subscription in Stripe (sub_…)."),
        C("is_rip_and_replace__c", B, "Whether another vendor was replaced."),
    ),
    _table(
        "opportunity_contact_role",
        "A contact's part in a deal.",
        C("opportunity_id", T, "Opportunity (006…)."),
        C("contact_id", T, "Contact (003…)."),
        C("role", T, "Part played."),
        C("is_primary", B, "Whether the main contact."),
    ),
    _table(
        "task",
        "A version of a call, e-mail or other task. Subject and text are not loaded.",
        ACCOUNT,
        WHAT,
        WHO,
        OWNER,
        C(
            "type",
            T,
            "Email, Call, Value report, Social or Other.",
            words=("Email", "Call", "Value report", "Social", "Other"),
        ),
        C("task_subtype", T, "Salesforce's own kind: Email, Call, ListEmail, …"),
        C("status", T, "Open, Completed, …"),
        C("activity_date", D, "Date due or done."),
        C("completed_date_time", AT, "When it was completed."),
        TWO_WAY,
        ACKNOWLEDGED,
    ),
    _table(
        "event",
        "A version of a calendar entry. Subject and text are not loaded.",
        ACCOUNT,
        WHAT,
        WHO,
        OWNER,
        C(
            "type",
            T,
            "Meeting, Visit, QBR, Training, Conference or Value report.",
            words=("Meeting", "Visit", "QBR", "Training", "Conference", "Value report"),
        ),
        C("start_date_time", AT, "When it starts."),
        C("duration_in_minutes", N, "Minutes.", minimum=0),
        TWO_WAY,
        ACKNOWLEDGED,
    ),
    _table(
        "event_relation",
        "A person invited to a calendar entry.",
        C("event_id", T, "Event (00U…)."),
        C("relation_id", T, "Contact, lead or user."),
        C("is_invitee", B, "Whether invited rather than related."),
        C("status", T, "Accepted, Declined or New."),
    ),
    _table(
        "case",
        "A version of a support case. Subject and text are not loaded.",
        ACCOUNT,
        C("contact_id", T, "Contact who asked."),
        OWNER,
        C(
            "type",
            T,
            "Question, Problem, Bug or Feature request.",
            words=("Question", "Problem", "Bug", "Feature request"),
        ),
        C("priority", T, "Priority."),
        C("status", T, "Status."),
        C("origin", T, "Channel."),
        C("is_closed", B, "Whether closed."),
        C("closed_date", AT, "When closed."),
        C("first_response_at__c", AT, "When first answered by a person."),
        C("csat_score__c", F, "Satisfaction stated on closing (1-5)."),
        C("handoffs__c", N, "Times handed to another agent.", minimum=0),
        C("is_bug_confirmed__c", B, "Whether a defect was confirmed."),
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
        C("audience__c", T, "Whom it addresses."),
    ),
    _table(
        "campaign_member",
        "A person's part in a campaign.",
        C("campaign_id", T, "Campaign (701…)."),
        C("contact_id", T, "Contact."),
        C("lead_id", T, "Lead."),
        C("status", T, "Sent, Responded, …"),
        C("has_responded", B, "Whether the person responded."),
        C("first_responded_date", D, "Date of the first response."),
    ),
    _history("account_history", "account_id", "account"),
    _history("opportunity_field_history", "opportunity_id", "opportunity"),
    _history("contact_history", "contact_id", "contact"),
)
