select
    cast(null as varchar) as release_id,
    cast(null as varchar) as feature_id,
    cast(null as date) as released_on,
    cast(null as boolean) as is_surprise_and_delight
where false
