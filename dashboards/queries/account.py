"""One account's whole story: who it is, its score, what happened, who is there, what it pays."""

from __future__ import annotations

import pandas as pd

from dashboards.filters import Filters
from dashboards.night import Night
from dashboards.queries.shared import PEOPLE, ask


def search(night: Night, filters: Filters, text: str, limit: int = 50) -> pd.DataFrame:
    """Return accounts whose name or id holds the text, those to call first at the top.

    One row an account: account_id, account_name, is_customer. Merged, deleted and test accounts
    are left out.
    """
    sql = f"""
        select
            accounts.account_id, accounts.name as account_name,
            watchlist.account_id is not null as is_customer
        from core.dim_accounts as accounts
        left join renewals.watchlist as watchlist on accounts.account_id = watchlist.account_id
        where not accounts.is_merged and not accounts.is_test and not accounts.is_deleted
            and (contains(lower(accounts.name), lower($text)) or accounts.account_id = $text)
            and {
        filters.where(
            segment="accounts.segment", region="accounts.region", owner="accounts.owner_id"
        )
    }
        order by watchlist.priority_rank nulls last, accounts.name, accounts.account_id
        limit {limit}
    """
    return night.frame(sql, {"text": text, **filters.parameters(sql)})


def profile(night: Night, account_id: str) -> pd.DataFrame:
    """Return what the CRM knows and what the account is worth: one row, none if it is unknown.

    Columns: account_id, account_name, segment, region, country, industry, origin, owner_id,
    employee_count, is_customer, tenure_years, renewals_completed, arr_usd (USD a year), clv_usd,
    bond_price_usd, potential_usd (USD), ltv_to_cac (ratio), true_value_rank, clv_rank, rank_gap,
    p_reach_year_10 (0-1).
    """
    return night.frame(
        """
        select
            accounts.account_id, accounts.name as account_name, accounts.segment, accounts.region,
            accounts.country, accounts.industry, accounts.acquisition_origin as origin,
            accounts.owner_id, accounts.employee_count,
            longevity.is_customer, longevity.tenure_years, longevity.renewals_completed,
            cast(longevity.arr_usd as double) as arr_usd,
            longevity.p_reach_year_10,
            worth.month_end_on as valued_on,
            cast(worth.clv_npv_usd as double) as clv_usd,
            cast(worth.bond_price_usd as double) as bond_price_usd,
            cast(worth.potential_10y_usd as double) as potential_usd,
            worth.ltv_to_cac, worth.true_value_rank, worth.clv_rank, worth.rank_gap
        from core.dim_accounts as accounts
        left join cohorts.longevity as longevity on accounts.account_id = longevity.account_id
        left join value.customer_value as worth
            on accounts.account_id = worth.account_id
            and worth.month_end_on = (select max(month_end_on) from value.customer_value)
        where accounts.account_id = $account_id
        """,
        {"account_id": account_id},
    )


def risk(night: Night, account_id: str) -> pd.DataFrame:
    """Return the account's score and what it is associated with: one row, none without a contract.

    Columns as in renewals.churn_risk, with why_today and priority_rank of the watchlist.
    """
    return night.frame(
        """
        select
            risk.* replace (
                cast(arr_usd as double) as arr_usd,
                cast(expected_loss_arr_usd as double) as expected_loss_arr_usd
            ),
            watchlist.why_today, watchlist.priority_rank
        from renewals.churn_risk as risk
        left join (select account_id, why_today, priority_rank from renewals.watchlist)
            as watchlist on risk.account_id = watchlist.account_id
        where risk.account_id = $account_id
        """,
        {"account_id": account_id},
    )


def scores(night: Night, account_id: str, months: int = 60) -> pd.DataFrame:
    """Return what model and people thought over the last months.

    One row a date and voice: seen_on, voice (model: would the next renewal be lost; people: would
    they not sign today), p_lost (0-1). The model's is that of each month-end and of tonight; where
    the rate of its segment stood in for a score, there is no row.
    """
    return night.frame(
        f"""
        select month_end_on as seen_on, 'model, next renewal' as voice,
            p_lost_next_renewal as p_lost
        from value.customer_value
        where account_id = $account_id and scored_on is not null
            and month_end_on > date '{night.as_of}' - interval {months} months
        union all
        select scored_on, 'model, next renewal', p_lost_next_renewal
        from renewals.churn_risk
        where account_id = $account_id and p_lost_next_renewal is not null
        union all
        select assessed_on, 'our people, sign today', 1 - sign_today_share
        from core.fct_risk_assessments
        where account_id = $account_id
            and assessed_on > date '{night.as_of}' - interval {months} months
        order by 1, 2
        """,
        {"account_id": account_id},
    )


def timeline(night: Night, account_id: str, months: int = 24) -> pd.DataFrame:
    """Return what happened at the account in the last months, newest first.

    One row an event: happened_on, lane (contract, money, plan, people, meeting, value, support,
    voice, outside), what (in words), weight (how many of a kind on the day).
    """
    return night.frame(
        f"""
        with events as (
            select due_on as happened_on, 'contract' as lane,
                'contract due: ' || replace(outcome, '_', ' ') as what
            from core.fct_contract_terms where account_id = $account_id
            union all
            select notice_on, 'contract', 'notice given'
            from core.fct_contract_terms where account_id = $account_id and notice_on is not null
            union all
            select month, 'money', replace(movement_type, '_', ' ') || ' of '
                || format('${{:,.0f}}', cast(amount_usd as double)) || ' a month'
            from core.fct_mrr_movements
            where surviving_account_id = $account_id and movement_type <> 'merge_transfer'
            union all
            select opened_on, 'plan', plan_type || ' plan opened'
            from renewals.action_plans where account_id = $account_id and opened_on is not null
            union all
            select closed_on, 'plan', plan_type || ' plan closed'
                || coalesce(': ' || replace(outcome, '_', ' '), '')
            from renewals.action_plans where account_id = $account_id and closed_on is not null
            union all
            select changed_on, 'people',
                case
                    when was_sponsor then 'sponsor' when was_champion then 'champion'
                    else 'contact'
                end || ': ' || case change_type
                    when 'left' then 'left' when 'promotion' then 'left for a higher post'
                    else 'left for another employer' end
            from core.fct_job_changes where from_account_id = $account_id and is_departure
            union all
            select event_on, case when touch_type in ('value_report', 'qbr') then 'value'
                else 'meeting' end,
                case touch_type when 'qbr' then 'business review'
                    else replace(touch_type, '_', ' ') end
                || case when has_director_plus then ' with a director or above' else '' end
            from core.fct_touchpoints
            where account_id = $account_id
                and touch_type in ('value_report', 'qbr', 'visit', 'meeting', 'training',
                                   'conference')
            union all
            select opened_on, 'support', replace(case_type, '_', ' ') || ' ticket, ' || priority
            from core.fct_tickets where account_id = $account_id
            union all
            select responded_on, 'voice', upper(survey_type) || ' ' || case
                when score = floor(score) then cast(cast(score as integer) as varchar)
                else cast(round(score, 1) as varchar) end
            from core.fct_survey_responses
            where account_id = $account_id and survey_type = 'nps' and score is not null
            union all
            select occurred_on, 'voice', 'spoke for us: ' || replace(act_type, '_', ' ')
            from core.fct_advocacy where account_id = $account_id
            union all
            select occurred_on, 'outside', replace(trigger_type, '_', ' ')
            from core.fct_trigger_events where account_id = $account_id
        )
        select happened_on, lane, what, count(*) as weight
        from events
        where happened_on > date '{night.as_of}' - interval {months} months
            and happened_on <= date '{night.as_of}' + interval 12 months
            and (happened_on <= date '{night.as_of}' or lane = 'contract')
        group by 1, 2, 3
        order by 1 desc, 2, 3
        """,
        {"account_id": account_id},
    )


def relationship(night: Night, account_id: str) -> pd.DataFrame:
    """Return how we stand with the account's people at the newest month: one row or none.

    Columns as in renewals.relationships.
    """
    return night.frame(
        """
        select * from renewals.relationships where account_id = $account_id
        order by month_end_on desc limit 1
        """,
        {"account_id": account_id},
    )


def people(night: Night, account_id: str, limit: int = 40) -> pd.DataFrame:
    """Return the people at the account whom we know, the most senior roles first.

    One row a person: full_name (missing where names are not published), title, level, roles,
    first_known_on. Empty where the table of people is not published.
    """
    if not night.has(PEOPLE):
        return pd.DataFrame(columns=["full_name", "title", "level", "roles", "first_known_on"])
    return night.frame(
        f"""
        select full_name, title, level, roles, first_known_on
        from core.dim_people
        where current_account_id = $account_id and person_type = 'customer_contact'
        order by
            case when roles like '%sponsor%' then 0 when roles like '%champion%' then 1
                when roles like '%economic_buyer%' then 2 else 3 end,
            case level when 'director_plus' then 0 when 'manager' then 1 else 2 end,
            full_name
        limit {limit}
        """,
        {"account_id": account_id},
    )


def champions(night: Night, account_id: str) -> pd.DataFrame:
    """Return who stood by us at the account and who was lost, newest first.

    One row a spell: role, status, since_on, lost_on, days_to_replacement (days), last_level.
    """
    return night.frame(
        """
        select role, status, since_on, lost_on, days_to_replacement, last_level
        from renewals.champions where account_id = $account_id
        order by coalesce(lost_on, since_on) desc, champion_spell_id limit 8
        """,
        {"account_id": account_id},
    )


def usage(night: Night, account_id: str) -> pd.DataFrame:
    """Return how much of what it pays for the account uses, by month-end.

    One row a month with a contract: month_end_on, active_users, licences, power_users (counts),
    utilisation, feature_adoption (0-1; utilisation may exceed 1).
    """
    return night.frame(
        """
        select month_end_on, active_users_28d as active_users, licences, power_users,
            utilisation_rate as utilisation, feature_adoption_rate as feature_adoption
        from value.adoption where account_id = $account_id order by 1
        """,
        {"account_id": account_id},
    )


def money(night: Night, account_id: str) -> pd.DataFrame:
    """Return what the account paid, by month-end: month_end_on, arr_usd (USD a year), seats."""
    return night.frame(
        """
        select month_end_on, cast(closing_arr_usd as double) as arr_usd, seats
        from core.fct_account_months where account_id = $account_id order by 1
        """,
        {"account_id": account_id},
    )


def terms(night: Night, account_id: str) -> pd.DataFrame:
    """Return the account's contract terms, newest first.

    One row a term: cycle_number, started_on, due_on, outcome, due_arr_usd, renewed_arr_usd (USD a
    year), p_lost_at_d90, human_sign_today_at_d90 (0-1, as stored 90 days before), driver.
    """
    return night.frame(
        """
        select
            cycle_number, started_on, due_on, outcome,
            cast(due_arr_usd as double) as due_arr_usd,
            cast(renewed_arr_usd as double) as renewed_arr_usd,
            p_lost_at_d90, human_sign_today_at_d90, driver_evidenced as driver
        from renewals.renewals where account_id = $account_id
        order by due_on desc, contract_term_id limit 12
        """,
        {"account_id": account_id},
    )


def outcomes(night: Night, account_id: str) -> pd.DataFrame:
    """Return the account's own measures of success, at their newest measurement.

    One row a measure: measure_name, unit, baseline, target, value (in the unit), attainment (1 =
    reached), measured_on, is_purchase_reason.
    """
    return night.frame(
        """
        select measure_name, unit, baseline, target, value, attainment, measured_on,
            is_purchase_reason
        from value.success_outcomes
        where account_id = $account_id and is_measured
        qualify row_number() over (
            partition by success_measure_id order by measured_on desc, checkpoint_month desc
        ) = 1
        order by is_purchase_reason desc, measure_name
        """,
        {"account_id": account_id},
    )


def first_to_call(night: Night, filters: Filters) -> str | None:
    """Return the account that stands first among the calls, None where none is left."""
    sql = f"""
        select account_id from renewals.watchlist
        where {filters.where(segment="segment", region="region", owner="owner_id")}
        order by priority_rank limit 1
    """
    rows = ask(night, sql, filters)
    return None if rows.empty else str(rows["account_id"].iloc[0])
