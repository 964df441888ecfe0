with

findings as (
    select
        as_of as quarter_end_on,
        action,
        window_days,
        segment,
        final_from_on,
        found_on,
        refusal,
        renewals_with,
        renewals_without,
        renewals_unknown,
        renewed_with,
        renewed_without,
        renewal_rate_with,
        renewal_rate_without,
        lift,
        odds_ratio,
        low,
        high,
        p_value,
        q_value,
        -- An odds ratio without end has a lower end all the same.
        case when not is_associated then 0 when low > 1 then 1 else -1 end as direction,
        cast(extract(year from as_of) * 4 + extract(quarter from as_of) as bigint) as quarter_number
    from {{ ref('stg_scores__action_findings') }}
),

-- Quarters that follow each other and say the same keep the same distance from their rank.
rows_of_same as (
    select
        *,
        quarter_number - row_number() over (
            partition by action, window_days, segment, direction
            order by quarter_number
        ) as row_id
    from findings
),

counted as (
    select
        *,
        case
            when direction = 0 then 0
            else
                row_number() over (
                    partition by action, window_days, segment, direction, row_id
                    order by quarter_number
                )
        end as quarters_in_a_row,
        max(quarter_end_on) over () as newest_quarter_end_on
    from rows_of_same
)

select
    counted.quarter_end_on,
    counted.action,
    cast(counted.window_days as bigint) as window_days,
    counted.segment,
    counted.final_from_on,
    counted.found_on,
    labels.label,
    labels.done_by,
    labels.input_name,
    case
        when counted.refusal is not null and counted.renewals_with + counted.renewals_without = 0
            then 'not_known'
        when counted.refusal is not null then 'too_few'
        when counted.direction = 0 then 'no_association'
        when counted.quarters_in_a_row < 2 then 'association_not_yet_confirmed'
        when counted.direction = 1 then 'predicts_renewal'
        else 'predicts_loss'
    end as verdict,
    counted.refusal as refusal_reason,
    cast(counted.renewals_with as bigint) as renewals_with,
    cast(counted.renewals_without as bigint) as renewals_without,
    cast(counted.renewals_unknown as bigint) as renewals_unknown,
    cast(counted.renewed_with as bigint) as renewed_with,
    cast(counted.renewed_without as bigint) as renewed_without,
    {{ stable('counted.renewal_rate_with') }} as renewal_rate_with,
    {{ stable('counted.renewal_rate_without') }} as renewal_rate_without,
    {{ stable('counted.lift') }} as lift,
    {{ stable('counted.odds_ratio') }} as odds_ratio,
    {{ stable('counted.low') }} as odds_ratio_low,
    {{ stable('counted.high') }} as odds_ratio_high,
    {{ stable('counted.p_value') }} as p_value,
    {{ stable('counted.q_value') }} as q_value,
    cast(counted.quarters_in_a_row as bigint) as quarters_in_a_row,
    counted.quarter_end_on = counted.newest_quarter_end_on as is_current
from counted
left join {{ ref('customer_actions') }} as labels on counted.action = labels.action
