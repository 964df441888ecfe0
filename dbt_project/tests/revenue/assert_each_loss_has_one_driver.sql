{{ config(meta={'dagster': {'ref': {'name': 'departure_drivers'}}}) }}

-- Every lost renewal is one row of departure_drivers, with the money that was lost.
with

counts as (
    select
        (
            select count(*)
            from {{ ref('renewals') }}
            where is_lost
        ) as losses,
        (select count(*) from {{ ref('departure_drivers') }}) as losses_with_driver,
        (
            select coalesce(sum(due_arr_usd), 0)
            from {{ ref('renewals') }}
            where is_lost
        ) as lost_arr_usd,
        (
            select coalesce(sum(lost_arr_usd), 0)
            from {{ ref('departure_drivers') }}
        ) as lost_arr_with_driver_usd
)

select
    losses,
    losses_with_driver,
    lost_arr_usd,
    lost_arr_with_driver_usd
from counts
where losses <> losses_with_driver or lost_arr_usd <> lost_arr_with_driver_usd
