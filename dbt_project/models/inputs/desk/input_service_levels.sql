select
    cast(null as varchar) as account_id,
    cast(null as date) as measured_on,
    cast(null as varchar) as kpi_name,
    cast(null as double) as kpi_value,
    cast(null as double) as contracted_level,
    cast(null as timestamptz) as known_at
where false
