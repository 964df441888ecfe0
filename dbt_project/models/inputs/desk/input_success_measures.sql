select
    cast(null as varchar) as success_measure_id,
    cast(null as varchar) as account_id,
    cast(null as varchar) as measure_name,
    cast(null as varchar) as direction,
    cast(null as varchar) as unit,
    cast(null as double) as baseline,
    cast(null as double) as target,
    cast(null as varchar) as stakeholder_level,
    cast(null as boolean) as is_quantified,
    cast(null as varchar) as measure_quality,
    cast(null as boolean) as is_purchase_reason,
    cast(null as varchar) as vendor_metric,
    cast(null as varchar) as asked_at,
    cast(null as date) as defined_on,
    cast(null as date) as confirmed_on,
    cast(null as timestamptz) as known_at
where false
