select
    cast(null as varchar) as feature_id,
    cast(null as varchar) as feature_name,
    cast(null as varchar) as plan_family,
    cast(null as boolean) as is_strategic,
    cast(null as date) as released_on
where false
