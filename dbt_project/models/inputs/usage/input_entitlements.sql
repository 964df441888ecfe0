select
    cast(null as varchar) as account_id,
    cast(null as varchar) as feature_id,
    cast(null as date) as entitled_from,
    cast(null as date) as entitled_to
where false
