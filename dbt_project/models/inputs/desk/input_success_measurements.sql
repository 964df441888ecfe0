select
    cast(null as varchar) as success_measurement_id,
    cast(null as varchar) as success_measure_id,
    cast(null as varchar) as account_id,
    cast(null as date) as measured_on,
    cast(null as bigint) as checkpoint_month,
    cast(null as double) as value,
    cast(null as decimal(18,2)) as value_usd,
    cast(null as timestamptz) as known_at
where false
