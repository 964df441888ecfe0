{# What can be new since the last night, and how it is told; each is looked at in `changes`. #}
{% set news = [
    ('notice_given', "'notice was given'"),
    ('champion_left', "'a champion left'"),
    ('sponsor_left', "'a sponsor left'"),
    ('band_became_high', "'the risk became high'"),
    (
        'risk_jumped',
        "'the risk rose by ' || cast(cast(round(100 * p_change_1n) as bigint) as varchar)"
        ~ " || ' points'"
    ),
    ('judged_below_half', "'judged unlikely to sign'"),
    ('payment_failed', "'a payment failed'"),
    ('past_due', "'an invoice is a week past due'"),
    ('plan_without_owner', "'a plan was opened and nobody is accountable for it'"),
    ('plan_overdue', "'the plan is overdue'"),
    ('due_in_30_days', "'the renewal has come within 30 days'"),
    ('due_in_90_days', "'the renewal has come within 90 days'"),
] %}
{# What was so before and still asks for a call. #}
{% set standing = [
    (
        'notice_on is not null and not coalesce(notice_given, false)',
        "'notice was given on ' || cast(notice_on as varchar)"
    ),
    ("band = 'high' and not coalesce(band_became_high, false)", "'the risk is high'"),
    (
        'p_sign_today_human < 0.5 and not coalesce(judged_below_half, false)',
        "'judged unlikely to sign'"
    ),
    (
        'is_at_risk and days_to_renewal <= 90',
        "'due in ' || cast(days_to_renewal as varchar)"
        ~ " || case when days_to_renewal = 1 then ' day' else ' days' end"
    ),
    (
        'is_at_risk and not has_plan_owner and not coalesce(plan_without_owner, false)',
        "'nobody is accountable for a plan'"
    ),
    (
        'days_overdue > 7 and not coalesce(past_due, false)',
        "'an invoice is ' || cast(days_overdue as varchar) || ' days past due'"
    ),
] %}
with

accounts as (
    select
        account_id,
        contract_term_id,
        owner_id,
        action_plan_id,
        plan_owner_id,
        scored_on,
        next_due_on,
        notice_on,
        plan_opened_on,
        plan_due_on,
        account_name,
        segment,
        region,
        attention_band,
        band,
        reason_1,
        days_to_renewal,
        arr_usd,
        expected_loss_arr_usd,
        p_lost_next_renewal,
        p_sign_today_human,
        is_at_risk,
        has_plan_owner,
        scored_on = {{ as_of_date() }} and not is_backfilled_score as is_scored_tonight
    from {{ ref('churn_risk') }}
),

weights as (
    select
        max(case when weight = 'full_weight_days' then value end) as full_weight_days,
        max(case when weight = 'half_life_days' then value end) as half_life_days,
        max(case when weight = 'without_plan_owner' then value end) as without_plan_owner,
        max(case when weight = 'with_news' then value end) as with_news,
        max(case when weight = 'risk_jump' then value end) as risk_jump
    from {{ ref('watchlist_weights') }}
),

scores as (
    select
        account_map.account_id,
        scores.as_of,
        scores.p,
        scores.band,
        row_number() over (
            partition by account_map.account_id, scores.as_of
            order by scores.account_id
        ) as record_rank
    from {{ ref('stg_scores__churn_score_history') }} as scores
    inner join {{ ref('int_account_map') }} as account_map
        on scores.account_id = account_map.source_account_id
    where
        scores.head = 'next_renewal'
        and not scores.is_backfill
        and scores.as_of < {{ as_of_date() }}
        and scores.as_of > {{ days_after(as_of_date(), -14) }}
),

-- A night that did not run is made up for by the next one: news counts from the last that did.
nights as (
    select
        coalesce(
            max(case when as_of > {{ days_after(as_of_date(), -8) }} then as_of end),
            {{ days_after(as_of_date(), -1) }}
        ) as compared_with_on
    from scores
),

last_night as (
    select
        scores.account_id,
        scores.p,
        scores.band
    from scores
    inner join nights on scores.as_of = nights.compared_with_on
    where scores.record_rank = 1
),

week_before as (
    select
        account_id,
        p,
        row_number() over (
            partition by account_id
            order by as_of desc
        ) as newest_rank
    from scores
    where as_of <= {{ days_after(as_of_date(), -7) }} and record_rank = 1
),

departures as (
    select
        changes.from_account_id as account_id,
        max(case when changes.was_champion then 1 else 0 end) = 1 as champion_left,
        max(case when changes.was_sponsor then 1 else 0 end) = 1 as sponsor_left
    from {{ ref('fct_job_changes') }} as changes
    cross join nights
    where
        changes.is_departure
        and changes.known_on > nights.compared_with_on
        and changes.known_on <= {{ as_of_date() }}
    group by changes.from_account_id
),

assessments as (
    select
        account_id,
        {{ utc_date('known_at') }} as known_on,
        is_below_half,
        lag(is_below_half) over (
            partition by account_id
            order by assessed_on, risk_assessment_id
        ) as was_below_half,
        row_number() over (
            partition by account_id
            order by assessed_on desc, risk_assessment_id desc
        ) as newest_rank
    from {{ ref('fct_risk_assessments') }}
    where
        account_id is not null
        and sign_today_share is not null
        and assessed_on <= {{ as_of_date() }}
        and known_at < {{ as_of_end() }}
),

judgements as (
    select
        assessments.account_id,
        assessments.is_below_half
        and not coalesce(assessments.was_below_half, false)
        and assessments.known_on > nights.compared_with_on as judged_below_half
    from assessments
    cross join nights
    where assessments.newest_rank = 1
),

failed_payments as (
    select distinct customers.account_id
    from {{ ref('input_payments') }} as payments
    inner join {{ ref('int_billing_customer_map') }} as customers
        on payments.billing_customer_id = customers.billing_customer_id
    cross join nights
    where
        payments.status = 'failed'
        and {{ utc_date('payments.paid_at') }} > nights.compared_with_on
        and {{ utc_date('payments.paid_at') }} <= {{ as_of_date() }}
),

billing as (
    select
        account_id,
        days_overdue
    from {{ ref('int_billing_account_months') }}
    where observed_on = {{ as_of_date() }}
),

values_then as (
    select
        account_id,
        true_value_score,
        row_number() over (
            partition by account_id
            order by month_end_on desc
        ) as newest_rank
    from {{ ref('customer_value') }}
),

-- Each fact crossed its line between the last night and this one.
changes as (
    select
        accounts.account_id,
        nights.compared_with_on,
        last_night.band as last_band,
        billing.days_overdue,
        accounts.notice_on > nights.compared_with_on as notice_given,
        coalesce(departures.champion_left, false) as champion_left,
        coalesce(departures.sponsor_left, false) as sponsor_left,
        coalesce(judgements.judged_below_half, false) as judged_below_half,
        failed_payments.account_id is not null as payment_failed,
        case
            when accounts.is_scored_tonight then accounts.p_lost_next_renewal - last_night.p
        end as p_change_1n,
        case
            when accounts.is_scored_tonight then accounts.p_lost_next_renewal - week_before.p
        end as p_change_7d,
        case
            when accounts.is_scored_tonight
                then accounts.band = 'high' and last_night.band <> 'high'
        end as band_became_high,
        case
            when accounts.is_scored_tonight
                then
                    accounts.p_lost_next_renewal - last_night.p >= weights.risk_jump
                    and not (accounts.band = 'high' and last_night.band <> 'high')
        end as risk_jumped,
        billing.days_overdue > 7
        and {{ days_after(as_of_date(), '7 - billing.days_overdue') }} >= nights.compared_with_on
            as past_due,
        accounts.action_plan_id is not null
        and accounts.plan_owner_id is null
        and accounts.plan_opened_on > nights.compared_with_on as plan_without_owner,
        accounts.plan_due_on >= nights.compared_with_on
        and accounts.plan_due_on < {{ as_of_date() }} as plan_overdue,
        {%- for days in [30, 90] %}
            {{ days_after('accounts.next_due_on', -days) }} > nights.compared_with_on
            and {{ days_after('accounts.next_due_on', -days) }} <= {{ as_of_date() }}
                as due_in_{{ days }}_days,
        {%- endfor %}
        case
            when accounts.days_to_renewal <= weights.full_weight_days then 1.0
            else
                power(
                    0.5,
                    (accounts.days_to_renewal - weights.full_weight_days) / weights.half_life_days
                )
        end as nearness,
        case when accounts.has_plan_owner then 1.0 else weights.without_plan_owner end
            as plan_factor,
        1 + coalesce(values_then.true_value_score, 0) as value_factor,
        weights.with_news
    from accounts
    cross join weights
    cross join nights
    left join last_night on accounts.account_id = last_night.account_id
    left join week_before
        on accounts.account_id = week_before.account_id and week_before.newest_rank = 1
    left join departures on accounts.account_id = departures.account_id
    left join judgements on accounts.account_id = judgements.account_id
    left join failed_payments on accounts.account_id = failed_payments.account_id
    left join billing on accounts.account_id = billing.account_id
    left join values_then
        on accounts.account_id = values_then.account_id and values_then.newest_rank = 1
),

told as (
    select
        accounts.account_id,
        0
        {% for flag, words in news -%}
            + case when coalesce({{ flag }}, false) then 1 else 0 end
        {% endfor %}
            as new_flags_count,
        ''
        {% for flag, words in news -%}
            || case when coalesce({{ flag }}, false) then '{{ flag }};' else '' end
        {% endfor %}
            as new_flags,
        ''
        {% for flag, words in news -%}
            || case when coalesce({{ flag }}, false) then {{ words }} || '; ' else '' end
        {% endfor %}
            as news_text,
        ''
        {% for condition, words in standing -%}
            || case when coalesce({{ condition }}, false) then {{ words }} || '; ' else '' end
        {% endfor %}
            as standing_text
    from accounts
    inner join changes on accounts.account_id = changes.account_id
),

weighed as (
    select
        accounts.account_id,
        case
            when length(told.new_flags) > 0
                then substr(told.new_flags, 1, length(told.new_flags) - 1)
        end as new_flags,
        case
            when length(told.news_text) > 0
                then 'New: ' || substr(told.news_text, 1, length(told.news_text) - 2) || '. '
            else ''
        end
        || case
            when length(told.standing_text) > 0
                then
                    'Still: '
                    || substr(told.standing_text, 1, length(told.standing_text) - 2)
                    || '.'
            else ''
        end as why_today,
        cast(
            cast(accounts.expected_loss_arr_usd as double)
            * changes.nearness * changes.plan_factor * changes.value_factor
            * case when told.new_flags_count > 0 then changes.with_news else 1 end
            as decimal(18, 2)
        ) as priority_usd
    from accounts
    inner join changes on accounts.account_id = changes.account_id
    inner join told on accounts.account_id = told.account_id
),

-- Money at stake alone is no reason to call today: whoever has one comes first.
ranked as (
    select
        accounts.account_id,
        row_number() over (
            order by
                case when weighed.why_today = '' then 1 else 0 end asc,
                weighed.priority_usd desc nulls last,
                told.new_flags_count desc,
                accounts.days_to_renewal asc,
                accounts.account_id asc
        ) as priority_rank,
        row_number() over (
            partition by accounts.owner_id
            order by
                case when weighed.why_today = '' then 1 else 0 end asc,
                weighed.priority_usd desc nulls last,
                told.new_flags_count desc,
                accounts.days_to_renewal asc,
                accounts.account_id asc
        ) as owner_priority_rank
    from accounts
    inner join weighed on accounts.account_id = weighed.account_id
    inner join told on accounts.account_id = told.account_id
)

select
    accounts.account_id,
    accounts.contract_term_id,
    accounts.owner_id,
    accounts.plan_owner_id,
    {{ as_of_date() }} as as_of_on,
    changes.compared_with_on,
    accounts.scored_on,
    accounts.next_due_on,
    accounts.account_name,
    accounts.segment,
    accounts.region,
    accounts.attention_band,
    nullif(trim(weighed.why_today), '') as why_today,
    weighed.new_flags,
    accounts.band,
    changes.last_band,
    accounts.reason_1,
    cast(ranked.priority_rank as bigint) as priority_rank,
    case when accounts.owner_id is not null then cast(ranked.owner_priority_rank as bigint) end
        as owner_priority_rank,
    weighed.priority_usd,
    accounts.expected_loss_arr_usd,
    accounts.arr_usd,
    accounts.days_to_renewal,
    accounts.p_lost_next_renewal,
    {{ stable('changes.p_change_1n') }} as p_lost_change_last_night,
    {{ stable('changes.p_change_7d') }} as p_lost_change_7d,
    {{ stable('changes.nearness') }} as nearness_factor,
    {{ stable('changes.plan_factor') }} as plan_factor,
    {{ stable('changes.value_factor') }} as value_factor,
    changes.days_overdue,
    cast(told.new_flags_count as bigint) as new_flags_count,
    told.new_flags_count > 0 as has_news,
    accounts.is_at_risk,
    accounts.has_plan_owner
from accounts
inner join changes on accounts.account_id = changes.account_id
inner join told on accounts.account_id = told.account_id
inner join weighed on accounts.account_id = weighed.account_id
inner join ranked on accounts.account_id = ranked.account_id
