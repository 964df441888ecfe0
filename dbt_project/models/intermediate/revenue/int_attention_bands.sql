with

account_months as (
    select
        account_id,
        month_end_on,
        closing_mrr_usd
    from {{ ref('fct_account_months') }}
    where is_paying
),

thresholds as (
    select
        band,
        rank_share_from,
        rank_share_to
    from {{ ref('attention_band_thresholds') }}
),

ranked as (
    select
        account_id,
        month_end_on,
        (
            row_number() over (
                partition by month_end_on
                order by closing_mrr_usd desc, account_id asc
            ) - 1
        ) * 1.0 / count(*) over (partition by month_end_on) as rank_share
    from account_months
)

select
    ranked.account_id,
    ranked.month_end_on,
    thresholds.band as attention_band,
    {{ stable('ranked.rank_share') }} as rank_share
from ranked
inner join thresholds
    on
        ranked.rank_share >= thresholds.rank_share_from
        and ranked.rank_share < thresholds.rank_share_to
