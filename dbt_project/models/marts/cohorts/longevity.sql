{# How far ahead years are counted; after that hardly anything is left of any account. #}
{% set years_ahead = 40 %}
with

account_months as (
    select
        account_id,
        month_end_on,
        cohort_month,
        closing_mrr_usd,
        tenure_months,
        touches,
        active_users_28d,
        value_reports,
        is_active,
        is_paying
    from {{ ref('fct_account_months') }}
),

accounts as (
    select
        account_id,
        coalesce(segment, '(unknown)') as segment,
        region,
        acquisition_origin
    from {{ ref('dim_accounts') }}
    where not is_test
),

merged as (
    select distinct account_id
    from {{ ref('int_account_map') }}
    where is_merged
),

terms as (
    select
        account_id,
        due_on,
        due_month,
        term_months,
        outcome,
        is_renewed,
        is_lost
    from {{ ref('renewals') }}
),

advocacy as (
    select
        account_id,
        act_type
    from {{ ref('fct_advocacy') }}
),

-- Where no act was ever recorded, nobody knows who has a story.
advocacy_recorded as (
    select count(*) > 0 as is_recorded
    from advocacy
),

answers as (
    select
        account_id,
        responded_on,
        score
    from {{ ref('fct_survey_responses') }}
    where survey_type = 'nps' and score is not null
),

numbers as (
    {{ thousand_numbers() }}
),

lives as (
    select
        account_id,
        min(cohort_month) as first_paid_month,
        max(case when is_paying then month_end_on end) as last_paid_month,
        max(month_end_on) as last_month_end_on,
        max(case when is_paying then tenure_months end) as paid_to_tenure_month,
        max(tenure_months) as tenure_month_now,
        count(case when is_paying then 1 end) as months_paid
    from account_months
    where tenure_months is not null
    group by account_id
),

now as (
    select
        account_months.account_id,
        account_months.closing_mrr_usd,
        account_months.is_active
    from account_months
    inner join lives
        on
            account_months.account_id = lives.account_id
            and account_months.month_end_on = lives.last_month_end_on
),

-- Year of life in which a term came due: the first renewal of a yearly contract ends year one.
dues as (
    select
        terms.account_id,
        accounts.segment,
        terms.outcome,
        terms.term_months,
        terms.due_on,
        terms.is_renewed,
        terms.is_lost,
        cast(
            greatest(
                round({{ months_between('lives.first_paid_month', 'terms.due_month') }} / 12.0), 1
            ) as bigint
        )
            as due_year
    from terms
    inner join lives on terms.account_id = lives.account_id
    inner join accounts on terms.account_id = accounts.account_id
),

-- Renewal rate of each year of life; old age is pooled, and a rate is pulled towards the segment's
-- by ten renewals' weight, so that two accounts do not decide about a year.
segment_rates as (
    select
        segment,
        sum(case when is_renewed then 1.0 else 0.0 end) / count(*) as renewal_rate
    from dues
    where is_renewed or is_lost
    group by segment
),

year_counts as (
    select
        segment,
        least(due_year, 12) as due_year,
        sum(case when is_renewed then 1.0 else 0.0 end) as renewed,
        count(*) as decided
    from dues
    where is_renewed or is_lost
    group by segment, least(due_year, 12)
),

year_rates as (
    select
        segment_rates.segment,
        numbers.n as life_year,
        (coalesce(year_counts.renewed, 0) + 10 * segment_rates.renewal_rate)
        / (coalesce(year_counts.decided, 0) + 10) as renewal_rate
    from segment_rates
    inner join numbers on numbers.n between 1 and {{ years_ahead + 20 }}
    left join year_counts
        on
            segment_rates.segment = year_counts.segment
            and least(numbers.n, 12) = year_counts.due_year
),

-- The next due year of every customer in force, and how many years lie between two of its renewals.
next_dues as (
    select
        dues.account_id,
        dues.due_year,
        dues.due_on,
        greatest(cast(round(dues.term_months / 12.0) as bigint), 1) as step_years,
        row_number() over (partition by dues.account_id order by dues.due_on) as next_rank
    from dues
    inner join now on dues.account_id = now.account_id
    where dues.outcome in ('open', 'pending') and now.is_active
),

-- From one renewal to the next an account is safe; at each it stays with the rate of that year of
-- its life.
ahead as (
    select
        lives.account_id,
        year_rates.life_year,
        sum(
            case
                when
                    year_rates.life_year >= next_dues.due_year
                    and mod(year_rates.life_year - next_dues.due_year, next_dues.step_years) = 0
                    and year_rates.renewal_rate > 0
                    then ln(year_rates.renewal_rate)
                else 0
            end
        ) over (
            partition by lives.account_id
            order by year_rates.life_year
            rows between unbounded preceding and current row
        ) as log_survival
    from lives
    inner join next_dues on lives.account_id = next_dues.account_id and next_dues.next_rank = 1
    inner join accounts on lives.account_id = accounts.account_id
    inner join year_rates
        on
            accounts.segment = year_rates.segment
            and year_rates.life_year > floor(lives.tenure_month_now / 12.0)
            and year_rates.life_year <= floor(lives.tenure_month_now / 12.0) + {{ years_ahead }}
),

expected as (
    select
        account_id,
        sum({{ exact('exp(log_survival)') }}) as expected_years_remaining,
        -- Nine renewals lead to the tenth year.
        max(case when life_year = 9 then exp(log_survival) end) as p_reach_year_10
    from ahead
    group by account_id
),

renewed as (
    select
        account_id,
        count(case when is_renewed or outcome = 'superseded' then 1 end) as renewals_completed,
        count(case when is_lost then 1 end) as renewals_lost
    from terms
    group by account_id
),

-- A year of focus: the customer was spoken with, used the product and was shown its value.
focus as (
    select
        account_id,
        floor(tenure_months / 12.0) as life_year,
        case
            when sum(touches) > 0 and max(active_users_28d) > 0 and sum(value_reports) > 0 then 1
            -- Where any of them was not recorded the year is not known; one that is nought decides.
            when
                sum(touches) = 0 or max(active_users_28d) = 0 or sum(value_reports) = 0
                or (
                    sum(touches) is not null
                    and max(active_users_28d) is not null
                    and sum(value_reports) is not null
                )
                then 0
        end as is_focused
    from account_months
    where tenure_months is not null
    group by account_id, floor(tenure_months / 12.0)
),

focused as (
    select
        account_id,
        sum(is_focused) as focus_years
    from focus
    group by account_id
),

-- The first year of life against the last twelve months of one that is at least two years old.
first_and_last as (
    select
        account_months.account_id,
        avg(case when account_months.tenure_months < 12 then account_months.active_users_28d end)
            as users_first,
        avg(case when account_months.tenure_months >= 12 then account_months.active_users_28d end)
            as users_last,
        avg(case when account_months.tenure_months < 12 then account_months.touches end)
            as touches_first,
        avg(case when account_months.tenure_months >= 12 then account_months.touches end)
            as touches_last
    from account_months
    inner join lives on account_months.account_id = lives.account_id
    where
        account_months.is_active
        and lives.paid_to_tenure_month >= 24
        and (
            account_months.tenure_months between 0 and 11
            or account_months.tenure_months
            between lives.paid_to_tenure_month - 11 and lives.paid_to_tenure_month
        )
    group by account_months.account_id
),

answers_first_and_last as (
    select
        lives.account_id,
        avg(
            case
                when answers.responded_on <= {{ months_after('lives.first_paid_month', 12) }}
                    then answers.score
            end
        ) as nps_first,
        avg(
            case
                when answers.responded_on > {{ months_after('lives.last_paid_month', -12) }}
                    then answers.score
            end
        ) as nps_last
    from answers
    inner join lives on answers.account_id = lives.account_id
    where lives.paid_to_tenure_month >= 24
    group by lives.account_id
),

momentum as (
    select
        first_and_last.account_id,
        first_and_last.users_last / nullif(first_and_last.users_first, 0) as usage_ratio,
        first_and_last.touches_last / nullif(first_and_last.touches_first, 0) as touches_ratio,
        answers_first_and_last.nps_last / nullif(answers_first_and_last.nps_first, 0) as nps_ratio
    from first_and_last
    left join
        answers_first_and_last
        on first_and_last.account_id = answers_first_and_last.account_id
),

stories as (
    select
        account_id,
        count(case when act_type = 'case_study' then 1 end) as case_studies
    from advocacy
    group by account_id
)

select
    lives.account_id,
    lives.first_paid_month,
    lives.last_paid_month,
    accounts.segment,
    accounts.region,
    accounts.acquisition_origin,
    case
        when lives.paid_to_tenure_month < 12 then '0-1'
        when lives.paid_to_tenure_month < 24 then '1-2'
        when lives.paid_to_tenure_month < 60 then '2-5'
        when lives.paid_to_tenure_month < 84 then '5-7'
        when lives.paid_to_tenure_month < 120 then '7-10'
        when lives.paid_to_tenure_month < 180 then '10-15'
        when lives.paid_to_tenure_month < 240 then '15-20'
        else '20+'
    end as tenure_band,
    cast(12 * now.closing_mrr_usd as decimal(18, 2)) as arr_usd,
    cast(lives.paid_to_tenure_month as bigint) as tenure_months,
    cast(lives.months_paid as bigint) as months_paid,
    {{ stable('lives.paid_to_tenure_month / 12.0') }} as tenure_years,
    cast(coalesce(renewed.renewals_completed, 0) as bigint) as renewals_completed,
    cast(coalesce(renewed.renewals_lost, 0) as bigint) as renewals_lost,
    {{ stable(
        'case when now.is_active and lives.tenure_month_now >= 108 then 1.0'
        ~ ' else expected.p_reach_year_10 end'
    ) }} as p_reach_year_10,
    {{ stable('expected.expected_years_remaining') }} as expected_years_remaining,
    {{ stable('momentum.usage_ratio') }} as usage_to_first_year_ratio,
    {{ stable('momentum.touches_ratio') }} as touches_to_first_year_ratio,
    {{ stable('momentum.nps_ratio') }} as nps_to_first_year_ratio,
    {{ stable(
        '(coalesce(momentum.usage_ratio, 0) + coalesce(momentum.touches_ratio, 0)'
        ~ ' + coalesce(momentum.nps_ratio, 0)) / nullif('
        ~ 'case when momentum.usage_ratio is null then 0 else 1 end'
        ~ ' + case when momentum.touches_ratio is null then 0 else 1 end'
        ~ ' + case when momentum.nps_ratio is null then 0 else 1 end, 0)'
    ) }} as momentum_index,
    cast(focused.focus_years as bigint) as focus_years,
    now.is_active as is_customer,
    lives.paid_to_tenure_month >= 120 as is_10y,
    lives.paid_to_tenure_month >= 180 as is_15y,
    merged.account_id is not null as has_survived_merger,
    case when advocacy_recorded.is_recorded then coalesce(stories.case_studies, 0) > 0 end
        as has_case_study
from lives
inner join now on lives.account_id = now.account_id
cross join advocacy_recorded
left join accounts on lives.account_id = accounts.account_id
left join merged on lives.account_id = merged.account_id
left join renewed on lives.account_id = renewed.account_id
left join expected on lives.account_id = expected.account_id
left join focused on lives.account_id = focused.account_id
left join stories on lives.account_id = stories.account_id
left join momentum on lives.account_id = momentum.account_id
