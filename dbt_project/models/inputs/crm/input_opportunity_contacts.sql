select
    cast(null as varchar) as opportunity_id,
    cast(null as varchar) as contact_id,
    cast(null as varchar) as role,
    cast(null as boolean) as is_primary
where false
