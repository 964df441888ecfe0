with

observations as (
    select
        account_id,
        observed_on,
        month_end_on
    from {{ ref('int_account_observations') }}
),

words as (
    select
        word,
        department
    from {{ ref('title_departments') }}
),

-- A job title is a text of many hands: only its words count, between spaces.
titles as (
    select distinct
        title,
        ' ' || {{ replaced(folded('title'), '[^a-z0-9]+', ' ') }} || ' ' as title_words
    from {{ ref('input_contacts') }}
    where title is not null
),

named as (
    select
        titles.title,
        words.department,
        row_number() over (
            partition by titles.title
            order by {{ dbt.position("' ' || words.word || ' '", 'titles.title_words') }}
        ) as place
    from titles
    inner join words
        on {{ dbt.position("' ' || words.word || ' '", 'titles.title_words') }} > 0
),

in_place as (
    select
        observations.account_id,
        observations.observed_on,
        states.person_id,
        named.department
    from observations
    inner join {{ ref('int_person_states') }} as states
        on
            observations.account_id = states.account_id
            and observations.observed_on >= states.visible_from_on
            and (
                states.visible_to_on is null
                or observations.observed_on < states.visible_to_on
            )
    inner join {{ ref('input_contacts') }} as contacts on states.contact_id = contacts.contact_id
    inner join named on contacts.title = named.title and named.place = 1
    where not states.is_gone
),

counted as (
    select
        in_place.account_id,
        in_place.observed_on,
        count(distinct in_place.department) as departments_known,
        count(distinct case when users.person_id is not null then in_place.department end)
            as departments_active
    from in_place
    left join {{ ref('int_known_user_months') }} as users
        on
            in_place.account_id = users.account_id
            and in_place.observed_on = users.observed_on
            and in_place.person_id = users.person_id
    group by in_place.account_id, in_place.observed_on
)

select
    counted.account_id,
    counted.observed_on,
    counted.departments_known,
    case when usage.usage_basis = 'daily' then counted.departments_active end as departments_active
from counted
left join {{ ref('int_usage_account_months') }} as usage
    on
        counted.account_id = usage.account_id
        and counted.observed_on = usage.observed_on
