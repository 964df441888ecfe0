with

requests as (
    select
        coalesce(lower(format), '(unknown)') as format,
        cast({{ dbt.date_trunc('quarter', 'requested_on') }} as date) as quarter_start_on,
        requested_on,
        case when fulfilled_on <= {{ as_of_date() }} then fulfilled_on end as fulfilled_on
    from {{ ref('input_story_requests') }}
    where requested_on <= {{ as_of_date() }}
),

stories as (
    select
        advocacy_act_id,
        lower(act_type) as format,
        opportunity_id,
        occurred_on,
        cast({{ dbt.date_trunc('quarter', 'occurred_on') }} as date) as quarter_start_on
    from {{ ref('fct_advocacy') }}
    where occurred_on <= {{ as_of_date() }}
),

won as (
    select
        opportunity_id,
        amount_usd
    from {{ ref('fct_opportunities') }}
    where is_won
),

formats as (
    select format from requests
    union distinct
    select format from stories
),

quarters as (
    select quarter_start_on from requests
    union distinct
    select quarter_start_on from stories
),

asked as (
    select
        format,
        quarter_start_on,
        count(*) as requested,
        count(fulfilled_on) as fulfilled,
        avg(
            case
                when fulfilled_on is not null
                    then 1.0 * {{ dbt.datediff('requested_on', 'fulfilled_on', 'day') }}
            end
        ) as days_to_fulfil
    from requests
    group by format, quarter_start_on
),

told as (
    select
        stories.format,
        stories.quarter_start_on,
        count(*) as published,
        count(distinct won.opportunity_id) as won_opportunities,
        sum(won.amount_usd) as influenced_usd
    from stories
    left join won on stories.opportunity_id = won.opportunity_id
    group by stories.format, stories.quarter_start_on
),

-- Nothing asked for, or nothing told, is a fact only where it is written down at all.
requests_recorded as (
    select count(*) > 0 as is_recorded
    from requests
),

stories_recorded as (
    select count(*) > 0 as is_recorded
    from stories
),

filled as (
    select
        formats.format,
        quarters.quarter_start_on,
        case when requests_recorded.is_recorded then coalesce(asked.requested, 0) end as requested,
        case when requests_recorded.is_recorded then coalesce(asked.fulfilled, 0) end as fulfilled,
        asked.days_to_fulfil,
        case when stories_recorded.is_recorded then coalesce(told.published, 0) end as published,
        case when stories_recorded.is_recorded then coalesce(told.won_opportunities, 0) end
            as won_opportunities,
        case when stories_recorded.is_recorded then coalesce(told.influenced_usd, 0) end
            as influenced_usd
    from formats
    cross join quarters
    cross join requests_recorded
    cross join stories_recorded
    left join asked
        on
            formats.format = asked.format
            and quarters.quarter_start_on = asked.quarter_start_on
    left join told
        on
            formats.format = told.format
            and quarters.quarter_start_on = told.quarter_start_on
)

select
    format,
    quarter_start_on,
    requested,
    fulfilled as supplied,
    requested - fulfilled as gap,
    cast(
        sum(requested - fulfilled) over (
            partition by format
            order by quarter_start_on
            rows unbounded preceding
        ) as bigint
    ) as open_requests,
    published,
    -- A story once published can be told again.
    cast(
        sum(published) over (
            partition by format
            order by quarter_start_on
            rows unbounded preceding
        ) as bigint
    ) as available,
    {{ stable('days_to_fulfil') }} as days_to_fulfil,
    won_opportunities as reused_in_won_opps,
    cast(influenced_usd as decimal(18, 2)) as influenced_won_usd
from filled
