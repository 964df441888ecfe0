with

bands as (
    select
        account_id,
        month_end_on,
        attention_band
    from {{ ref('int_attention_bands') }}
),

account_months as (
    select
        account_id,
        month_end_on,
        closing_mrr_usd,
        churn_usd,
        contraction_usd
    from {{ ref('fct_account_months') }}
),

touches as (
    select
        account_id,
        {{ month_end('event_on') }} as month_end_on,
        count(*) as touches
    from {{ ref('fct_touchpoints') }}
    where account_id is not null
        and coalesce(employee_function, 'unknown') not in ('product', 'engineering')
    group by account_id, {{ month_end('event_on') }}
),

-- A quarter is told once it is over; the band is the one an account entered it with.
quarters as (
    select
        month_end_on as quarter_end_on,
        {{ month_end(months_after('month_end_on', -1)) }} as second_month_end_on,
        {{ month_end(months_after('month_end_on', -2)) }} as first_month_end_on,
        {{ month_end(months_after('month_end_on', -3)) }} as opened_on
    from {{ ref('int_month_ends') }}
    where extract(month from month_end_on) in (3, 6, 9, 12)
),

quarter_months as (
    select
        quarter_end_on,
        opened_on,
        quarter_end_on as month_end_on
    from quarters
    union all
    select
        quarter_end_on,
        opened_on,
        second_month_end_on as month_end_on
    from quarters
    union all
    select
        quarter_end_on,
        opened_on,
        first_month_end_on as month_end_on
    from quarters
),

accounts as (
    select
        quarters.quarter_end_on,
        bands.attention_band,
        bands.account_id,
        12 * account_months.closing_mrr_usd as opening_arr_usd
    from quarters
    inner join bands on quarters.opened_on = bands.month_end_on
    inner join account_months
        on
            bands.account_id = account_months.account_id
            and quarters.opened_on = account_months.month_end_on
),

happenings as (
    select
        quarter_months.quarter_end_on,
        account_months.account_id,
        sum(12 * account_months.churn_usd) as lost_arr_usd,
        sum(12 * account_months.contraction_usd) as contracted_arr_usd,
        max(
            case
                when
                    account_months.churn_usd > 0 and account_months.closing_mrr_usd = 0
                    then 1
                else 0
            end
        )
            as has_churned,
        sum(coalesce(touches.touches, 0)) as touches
    from quarter_months
    inner join account_months on quarter_months.month_end_on = account_months.month_end_on
    left join touches
        on
            account_months.account_id = touches.account_id
            and account_months.month_end_on = touches.month_end_on
    group by quarter_months.quarter_end_on, account_months.account_id
),

recorded as (
    select min(month_end_on) as recorded_from_on
    from touches
),

summed as (
    select
        accounts.quarter_end_on,
        accounts.attention_band,
        count(*) as accounts,
        sum(accounts.opening_arr_usd) as opening_arr_usd,
        sum(happenings.has_churned) as churned_accounts,
        sum(happenings.lost_arr_usd) as lost_arr_usd,
        sum(happenings.contracted_arr_usd) as contracted_arr_usd,
        sum(happenings.touches) as touches
    from accounts
    inner join happenings
        on
            accounts.quarter_end_on = happenings.quarter_end_on
            and accounts.account_id = happenings.account_id
    group by accounts.quarter_end_on, accounts.attention_band
),

shared as (
    select
        summed.quarter_end_on,
        summed.attention_band,
        summed.accounts,
        summed.opening_arr_usd,
        summed.churned_accounts,
        summed.lost_arr_usd,
        summed.contracted_arr_usd,
        -- Before touches were recorded nobody can say that there were none.
        case when summed.quarter_end_on >= recorded.recorded_from_on then summed.touches end
            as touches,
        cast(summed.lost_arr_usd as double)
        / nullif(
            cast(sum(summed.lost_arr_usd) over (partition by summed.quarter_end_on) as double), 0
        )
            as lost_arr_share,
        case
            when summed.quarter_end_on >= recorded.recorded_from_on
                then summed.touches
                    * 1.0
                    / nullif(sum(summed.touches) over (partition by summed.quarter_end_on), 0)
        end as touch_share
    from summed
    cross join recorded
)

select
    quarter_end_on,
    attention_band,
    cast(accounts as bigint) as accounts,
    cast(churned_accounts as bigint) as churned_accounts,
    cast(touches as bigint) as touches,
    cast(opening_arr_usd as decimal(18, 2)) as opening_arr_usd,
    cast(lost_arr_usd as decimal(18, 2)) as lost_arr_usd,
    cast(contracted_arr_usd as decimal(18, 2)) as contracted_arr_usd,
    {{ stable('touches * 1.0 / accounts') }} as touches_per_account,
    {{ stable('churned_accounts * 1.0 / accounts') }} as logo_churn_rate,
    {{ share_of('lost_arr_usd', 'opening_arr_usd') }}
        as arr_churn_rate,
    {{ stable('lost_arr_share') }} as lost_arr_share,
    {{ stable('touch_share') }} as touch_share,
    {{ stable('lost_arr_share / nullif(touch_share, 0)') }} as danger_ratio
from shared
