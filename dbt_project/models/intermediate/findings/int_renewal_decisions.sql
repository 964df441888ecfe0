{% set windows = [90, 365] %}
with

terms as (
    select
        contract_term_id,
        account_id,
        started_on,
        due_on,
        {{ days_after('due_on', var('renewal_grace_days')) }} as final_on,
        -- Who leaves decides when notice is given, or leaves without.
        case
            when outcome = 'lost'
                then least(coalesce(notice_on, due_on), coalesce(ended_on, due_on), due_on)
        end as left_on,
        least(coalesce(notice_on, due_on), coalesce(renewed_on, due_on), due_on)
            as undecided_until_on,
        due_arr_usd,
        is_evergreen,
        outcome = 'lost' as is_lost
    from {{ ref('fct_contract_terms') }}
    where
        outcome not in ('open', 'pending', 'paused')
        and {{ days_after('due_on', var('renewal_grace_days')) }} <= {{ as_of_date() }}
),

accounts as (
    select
        account_id,
        segment
    from {{ ref('dim_accounts') }}
),

windows as (
    {%- for days in windows %}
        select {{ days }} as window_days{{ ' union all' if not loop.last }}
    {%- endfor %}
),

losses as (
    select
        is_evergreen,
        {{ dbt.datediff('left_on', 'due_on', 'day') }} as days_before_due,
        row_number() over (
            partition by is_evergreen
            order by {{ dbt.datediff('left_on', 'due_on', 'day') }}, contract_term_id
        ) as place,
        count(*) over (partition by is_evergreen) as places
    from terms
    where is_lost
),

kinds as (
    select distinct
        is_evergreen,
        places
    from losses
),

renewals as (
    select
        terms.contract_term_id,
        terms.is_evergreen,
        terms.due_on,
        terms.undecided_until_on,
        mod(
            row_number() over (
                partition by terms.is_evergreen
                order by md5(terms.contract_term_id), terms.contract_term_id
            ) - 1,
            coalesce(kinds.places, 1)
        ) + 1 as place
    from terms
    left join kinds on terms.is_evergreen = kinds.is_evergreen
    where not terms.is_lost
),

-- Who stays decides on no day that anybody writes down. A lot gives each the lead of a customer of
-- the same kind that left: so both are looked at equally long before the due date, and neither had
-- more time in which to be visited.
looked_at as (
    select
        contract_term_id,
        left_on as decided_on
    from terms
    where is_lost
    union all
    select
        renewals.contract_term_id,
        least(
            renewals.undecided_until_on,
            {{ days_after('renewals.due_on', '-coalesce(losses.days_before_due, 0)') }}
        ) as decided_on
    from renewals
    left join losses
        on renewals.is_evergreen = losses.is_evergreen and renewals.place = losses.place
),

-- What was done before the term began belongs to the sale, or to the renewal before.
placed as (
    select
        terms.contract_term_id,
        terms.account_id,
        terms.due_on,
        terms.final_on,
        terms.due_arr_usd,
        terms.is_evergreen,
        terms.is_lost,
        looked_at.decided_on,
        windows.window_days,
        {{ days_after('looked_at.decided_on', 0 - var('action_lead_days')) }} as window_end_on,
        greatest(
            terms.started_on,
            {{ days_after(
                'looked_at.decided_on', (1 - var('action_lead_days')) ~ ' - windows.window_days'
            ) }}
        ) as window_start_on
    from terms
    inner join looked_at on terms.contract_term_id = looked_at.contract_term_id
    cross join windows
)

select
    placed.contract_term_id,
    placed.account_id,
    cast(placed.window_days as bigint) as window_days,
    {{ last_month_end(days_after('placed.window_start_on', -1)) }} as observed_before_on,
    placed.window_start_on,
    placed.window_end_on,
    placed.decided_on,
    placed.due_on,
    placed.final_on,
    coalesce(accounts.segment, 'unknown') as segment,
    placed.due_arr_usd,
    placed.is_evergreen,
    not placed.is_lost as is_renewed
from placed
left join accounts on placed.account_id = accounts.account_id
where placed.window_start_on <= placed.window_end_on
