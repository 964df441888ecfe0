{# Shares of the base that are told by their part of the accounts, and the money counted down to. #}
{% set tops = [('top_1pct', 100), ('top_10pct', 10), ('top_20pct', 5)] %}
with

account_months as (
    select
        account_id,
        month_end_on,
        coalesce(segment, '(unknown)') as segment,
        closing_mrr_usd
    from {{ ref('fct_account_months') }}
    where is_paying
),

industries as (
    select
        account_id,
        industry
    from {{ ref('dim_accounts') }}
),

account_map as (
    select
        source_account_id,
        account_id
    from {{ ref('int_account_map') }}
),

owners as (
    select
        account_map.account_id,
        owners.employee_id,
        owners.owned_from,
        owners.owned_to
    from {{ ref('input_account_owners') }} as owners
    inner join account_map on owners.account_id = account_map.source_account_id
),

-- Whose account it was at the month-end, not whose it is today.
owners_then as (
    select
        account_months.account_id,
        account_months.month_end_on,
        owners.employee_id,
        row_number() over (
            partition by account_months.account_id, account_months.month_end_on
            order by owners.owned_from desc, owners.employee_id asc
        ) as newest_rank
    from account_months
    inner join owners
        on
            account_months.account_id = owners.account_id
            and account_months.month_end_on >= owners.owned_from
            and (owners.owned_to is null or account_months.month_end_on < owners.owned_to)
),

paying as (
    select
        account_months.account_id,
        account_months.month_end_on,
        account_months.segment,
        industries.industry,
        owners_then.employee_id as owner_id,
        cast(12 * account_months.closing_mrr_usd as decimal(18, 2)) as arr_usd
    from account_months
    left join industries on account_months.account_id = industries.account_id
    left join owners_then
        on
            account_months.account_id = owners_then.account_id
            and account_months.month_end_on = owners_then.month_end_on
            and owners_then.newest_rank = 1
),

cut as (
    select
        month_end_on,
        segment,
        account_id,
        industry,
        owner_id,
        arr_usd
    from paying
    union all
    select
        month_end_on,
        '(all)' as segment,
        account_id,
        industry,
        owner_id,
        arr_usd
    from paying
),

-- Largest first; of two alike the account id decides, which no measure can tell.
ranked as (
    select
        month_end_on,
        segment,
        arr_usd,
        row_number() over (
            partition by month_end_on, segment order by arr_usd desc, account_id asc
        ) as size_rank,
        sum(arr_usd) over (
            partition by month_end_on, segment
            order by arr_usd desc, account_id asc
            rows between unbounded preceding and current row
        ) - arr_usd as larger_arr_usd,
        count(*) over (partition by month_end_on, segment) as accounts,
        sum(arr_usd) over (partition by month_end_on, segment) as total_arr_usd
    from cut
),

shared as (
    select
        month_end_on,
        segment,
        arr_usd,
        size_rank,
        larger_arr_usd,
        accounts,
        total_arr_usd,
        cast(arr_usd as double) / cast(total_arr_usd as double) as arr_share
    from ranked
),

concentrated as (
    select
        month_end_on,
        segment,
        max(accounts) as paying_accounts,
        max(total_arr_usd) as arr_usd,
        max(arr_usd) as largest_arr_usd,
        sum(case when size_rank <= 10 then arr_usd else 0 end) as top10_arr_usd,
        {%- for name, part in tops %}
            sum(case when size_rank <= ceil(accounts / {{ part }}.0) then arr_usd else 0 end)
                as {{ name }}_arr_usd,
        {%- endfor %}
        -- An account counts as long as the larger ones do not make the share without it.
        count(case when 2 * larger_arr_usd < total_arr_usd then 1 end) as accounts_for_50pct,
        count(case when 5 * larger_arr_usd < 4 * total_arr_usd then 1 end) as accounts_for_80pct,
        -- Mean difference between any two accounts over twice the mean (Gini 1912), by ranks.
        1 + 1.0 / max(accounts)
        - 2 * {{ exact_sum('arr_share * size_rank') }} / max(accounts) as gini,
        {{ exact_sum('arr_share * arr_share', 18) }} as herfindahl_index
    from shared
    group by month_end_on, segment
),

by_industry as (
    select
        month_end_on,
        segment,
        industry,
        sum(arr_usd) as arr_usd
    from cut
    where industry is not null
    group by month_end_on, segment, industry
),

largest_industries as (
    select
        month_end_on,
        segment,
        industry,
        arr_usd,
        row_number() over (
            partition by month_end_on, segment order by arr_usd desc, industry asc
        ) as size_rank
    from by_industry
),

by_owner as (
    select
        month_end_on,
        segment,
        owner_id,
        sum(arr_usd) as arr_usd
    from cut
    where owner_id is not null
    group by month_end_on, segment, owner_id
),

largest_owners as (
    select
        month_end_on,
        segment,
        owner_id,
        arr_usd,
        row_number() over (
            partition by month_end_on, segment order by arr_usd desc, owner_id asc
        ) as size_rank
    from by_owner
)

select
    concentrated.month_end_on,
    concentrated.segment,
    largest_owners.owner_id as largest_owner_id,
    largest_industries.industry as largest_industry,
    cast(concentrated.paying_accounts as bigint) as paying_accounts,
    cast(concentrated.arr_usd as decimal(18, 2)) as arr_usd,
    cast(concentrated.largest_arr_usd as decimal(18, 2)) as top1_arr_usd,
    cast(concentrated.top10_arr_usd as decimal(18, 2)) as top10_arr_usd,
    {{ share_of('concentrated.largest_arr_usd', 'concentrated.arr_usd') }} as top1_share,
    {{ share_of('concentrated.top10_arr_usd', 'concentrated.arr_usd') }} as top10_share,
    {%- for name, part in tops %}
        {{ share_of('concentrated.' ~ name ~ '_arr_usd', 'concentrated.arr_usd') }}
            as {{ name }}_share,
    {%- endfor %}
    cast(concentrated.accounts_for_50pct as bigint) as accounts_for_50pct,
    cast(concentrated.accounts_for_80pct as bigint) as accounts_for_80pct,
    {{ share_of('concentrated.accounts_for_80pct', 'concentrated.paying_accounts') }}
        as accounts_for_80pct_share,
    {{ stable('greatest(concentrated.gini, 0.0)') }} as gini,
    {{ stable('concentrated.herfindahl_index') }} as herfindahl_index,
    {{ stable('1 / concentrated.herfindahl_index') }} as equal_accounts,
    {{ share_of('largest_industries.arr_usd', 'concentrated.arr_usd') }} as largest_industry_share,
    {{ share_of('largest_owners.arr_usd', 'concentrated.arr_usd') }} as largest_owner_share,
    -- The largest ten of fewer than twenty accounts are most of them, whatever they pay.
    concentrated.paying_accounts >= 20 as is_reportable
from concentrated
left join largest_industries
    on
        concentrated.month_end_on = largest_industries.month_end_on
        and concentrated.segment = largest_industries.segment
        and largest_industries.size_rank = 1
left join largest_owners
    on
        concentrated.month_end_on = largest_owners.month_end_on
        and concentrated.segment = largest_owners.segment
        and largest_owners.size_rank = 1
