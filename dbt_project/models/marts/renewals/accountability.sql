{# Working hours of one person in a quarter, less holidays. #}
{% set hours_a_quarter = 480 %}
{# A value report proves that the owner told the customer what it got, for so many days. #}
{% set proof_days = 90 %}
{# Quarters before and after a change of incentives or leaders that are held side by side. #}
{% set quarters_around = 4 %}
with

month_ends as (
    select
        month_end_on,
        cast({{ dbt.date_trunc('quarter', 'month_end_on') }} as date) as quarter_start_on
    from {{ ref('int_month_ends') }}
),

quarters as (
    select
        quarter_start_on,
        {{ days_after(months_after('quarter_start_on', 3), -1) }} as quarter_end_on,
        min(month_end_on) as first_month_end_on,
        max(month_end_on) as last_month_end_on
    from month_ends
    group by quarter_start_on
),

-- Each fact counts for its function, and for all together.
scopes as (
    select 'function' as scope
    union all
    select '(all)' as scope
),

employees as (
    select
        employee_id,
        function,
        hired_on,
        coalesce(left_on, cast('9999-12-31' as date)) as left_on,
        is_vice_president
    from {{ ref('dim_employees') }}
    where function is not null and hired_on is not null
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
        coalesce(owners.owned_to, cast('9999-12-31' as date)) as owned_to
    from {{ ref('input_account_owners') }} as owners
    inner join account_map on owners.account_id = account_map.source_account_id
),

owners_recorded as (
    select min(owned_from) as from_on
    from owners
),

account_months as (
    select
        account_id,
        month_end_on,
        opening_mrr_usd,
        closing_mrr_usd,
        is_active
    from {{ ref('fct_account_months') }}
),

movements as (
    select
        account_id,
        month,
        movement_type,
        amount_usd
    from {{ ref('fct_mrr_movements') }}
),

touches as (
    select
        activity_id,
        account_id,
        employee_id,
        employee_function,
        event_on,
        touch_type,
        duration_minutes
    from {{ ref('fct_touchpoints') }}
    where account_id is not null
),

touches_recorded as (
    select min(event_on) as from_on
    from touches
),

incentives as (
    select
        incentives.function,
        incentives.metric,
        incentives.weight,
        incentives.valid_from,
        coalesce(incentives.valid_to, cast('9999-12-31' as date)) as valid_to,
        metrics.is_retention,
        metrics.relationship_definition
    from {{ ref('input_incentives') }} as incentives
    left join {{ ref('incentive_metrics') }} as metrics on incentives.metric = metrics.metric
),

incentives_recorded as (
    select count(*) > 0 as is_recorded
    from incentives
),

costs as (
    select
        month,
        function,
        purpose,
        cost_usd,
        headcount
    from {{ ref('input_function_costs') }}
),

drivers as (
    select
        owning_function,
        cast({{ dbt.date_trunc('quarter', 'due_on') }} as date) as quarter_start_on,
        lost_arr_usd
    from {{ ref('departure_drivers') }}
),

functions as (
    select function from employees
    union distinct
    select function from incentives
    union distinct
    select function from costs
    union distinct
    select owning_function as function from drivers
    union distinct
    select '(all)' as function
),

-- What each function is paid for at the end of the quarter, or now.
paid as (
    select
        quarters.quarter_start_on,
        incentives.function,
        incentives.metric,
        incentives.weight,
        incentives.is_retention,
        incentives.relationship_definition,
        row_number() over (
            partition by quarters.quarter_start_on, incentives.function
            order by incentives.weight desc, incentives.metric asc
        ) as weight_rank
    from quarters
    inner join incentives
        on
            quarters.last_month_end_on >= incentives.valid_from
            and quarters.last_month_end_on < incentives.valid_to
),

paid_for as (
    select
        quarter_start_on,
        function,
        max(case when weight_rank = 1 then metric end) as incentive_metric,
        max(case when weight_rank = 1 then relationship_definition end) as relationship_definition,
        case
            when count(*) = count(is_retention)
                then sum(case when is_retention then weight else 0.0 end) / sum(weight)
        end as retention_weight
    from paid
    group by quarter_start_on, function
),

incentive_changes as (
    select
        quarters.quarter_start_on,
        incentives.function,
        count(*) as incentives_changed
    from quarters
    inner join incentives
        on
            incentives.valid_from between quarters.quarter_start_on and quarters.quarter_end_on
            or incentives.valid_to between quarters.quarter_start_on and quarters.quarter_end_on
    group by quarters.quarter_start_on, incentives.function
),

spent as (
    select
        cast({{ dbt.date_trunc('quarter', 'costs.month') }} as date) as quarter_start_on,
        case scopes.scope when '(all)' then '(all)' else costs.function end as function,
        sum(case when costs.purpose = 'acquisition' then costs.cost_usd else 0 end)
            as acquisition_spend_usd,
        sum(case when costs.purpose = 'retention' then costs.cost_usd else 0 end)
            as retention_spend_usd,
        sum(case when costs.purpose = 'retention' then {{ exact('costs.headcount') }} else 0 end)
        / count(distinct costs.month) as retention_headcount,
        12.0 / count(distinct costs.month) as per_year,
        sum({{ exact('costs.headcount') }}) / count(distinct costs.month) as headcount
    from costs
    cross join scopes
    group by
        cast({{ dbt.date_trunc('quarter', 'costs.month') }} as date),
        case scopes.scope when '(all)' then '(all)' else costs.function end
),

lost as (
    select
        drivers.quarter_start_on,
        case scopes.scope when '(all)' then '(all)' else drivers.owning_function end as function,
        count(*) as customers_lost,
        sum(drivers.lost_arr_usd) as lost_arr_usd
    from drivers
    cross join scopes
    group by
        drivers.quarter_start_on,
        case scopes.scope when '(all)' then '(all)' else drivers.owning_function end
),

touched as (
    select
        cast({{ dbt.date_trunc('quarter', 'touches.event_on') }} as date) as quarter_start_on,
        case scopes.scope when '(all)' then '(all)' else touches.employee_function end as function,
        count(*) as touches,
        sum(touches.duration_minutes) / 60.0 as customer_hours
    from touches
    cross join scopes
    where touches.employee_function is not null
    group by
        cast({{ dbt.date_trunc('quarter', 'touches.event_on') }} as date),
        case scopes.scope when '(all)' then '(all)' else touches.employee_function end
),

-- An owner who has left us looks after nobody.
owned as (
    select
        account_months.account_id,
        account_months.month_end_on,
        max(employees.employee_id) as employee_id,
        max(employees.function) as function
    from account_months
    inner join owners
        on
            account_months.account_id = owners.account_id
            and account_months.month_end_on >= owners.owned_from
            and account_months.month_end_on < owners.owned_to
    inner join employees
        on
            owners.employee_id = employees.employee_id
            and account_months.month_end_on < employees.left_on
    group by account_months.account_id, account_months.month_end_on
),

looked_after as (
    select
        month_ends.quarter_start_on,
        account_months.account_id,
        account_months.month_end_on,
        account_months.closing_mrr_usd,
        account_months.opening_mrr_usd,
        account_months.is_active,
        owned.employee_id,
        owned.function,
        account_months.month_end_on = quarters.last_month_end_on as is_last_month
    from account_months
    inner join month_ends on account_months.month_end_on = month_ends.month_end_on
    inner join quarters on month_ends.quarter_start_on = quarters.quarter_start_on
    left join owned
        on
            account_months.account_id = owned.account_id
            and account_months.month_end_on = owned.month_end_on
),

coverage as (
    select
        looked_after.quarter_start_on,
        case scopes.scope when '(all)' then '(all)' else looked_after.function end as function,
        count(*) as account_months,
        count(case when looked_after.employee_id is null then 1 end) as unowned_account_months,
        sum(looked_after.closing_mrr_usd) as mrr_months_usd,
        sum(
            case when looked_after.employee_id is null then looked_after.closing_mrr_usd else 0 end
        ) as unowned_mrr_months_usd
    from looked_after
    cross join scopes
    where
        looked_after.is_active
        and (scopes.scope = '(all)' or looked_after.function is not null)
    group by
        looked_after.quarter_start_on,
        case scopes.scope when '(all)' then '(all)' else looked_after.function end
),

-- Who tells the customer what it got: the owner's own report.
proofs as (
    select distinct
        looked_after.quarter_start_on,
        looked_after.account_id
    from looked_after
    inner join touches
        on
            looked_after.account_id = touches.account_id
            and looked_after.employee_id = touches.employee_id
    where
        looked_after.is_last_month
        and touches.touch_type = 'value_report'
        and touches.event_on <= looked_after.month_end_on
        and {{ within_days('touches.event_on', 'looked_after.month_end_on', proof_days) }}
),

proven as (
    select
        looked_after.quarter_start_on,
        case scopes.scope when '(all)' then '(all)' else looked_after.function end as function,
        count(*) as accounts_owned,
        count(proofs.account_id) as accounts_proven
    from looked_after
    cross join scopes
    left join proofs
        on
            looked_after.account_id = proofs.account_id
            and looked_after.quarter_start_on = proofs.quarter_start_on
    where
        looked_after.is_last_month
        and looked_after.is_active
        and looked_after.employee_id is not null
    group by
        looked_after.quarter_start_on,
        case scopes.scope when '(all)' then '(all)' else looked_after.function end
),

-- What became in the quarter of the revenue that was there at its beginning, by who owned it then.
base as (
    select
        quarters.quarter_start_on,
        quarters.last_month_end_on,
        looked_after.account_id,
        looked_after.function,
        looked_after.closing_mrr_usd as mrr_before_usd
    from quarters
    inner join looked_after
        on looked_after.month_end_on = {{ days_after('quarters.quarter_start_on', -1) }}
    where looked_after.closing_mrr_usd > 0
),

kept as (
    select
        base.quarter_start_on,
        case scopes.scope when '(all)' then '(all)' else base.function end as function,
        sum(base.mrr_before_usd) as mrr_before_usd,
        sum(now.closing_mrr_usd) as mrr_now_usd,
        sum(least(now.closing_mrr_usd, base.mrr_before_usd)) as mrr_kept_usd
    from base
    cross join scopes
    inner join account_months as now
        on
            base.account_id = now.account_id
            and base.last_month_end_on = now.month_end_on
    where scopes.scope = '(all)' or base.function is not null
    group by
        base.quarter_start_on,
        case scopes.scope when '(all)' then '(all)' else base.function end
),

-- Four whole quarters on either side of each, without the quarter itself.
around as (
    select
        {% for side, rows in [
            ('before', quarters_around ~ ' preceding and 1 preceding'),
            ('after', '1 following and ' ~ quarters_around ~ ' following'),
        ] -%}
            case
                when
                    count(case when quarters.quarter_end_on <= {{ as_of_date() }} then 1 end) over (
                        partition by kept.function
                        order by kept.quarter_start_on
                        rows between {{ rows }}
                    ) = {{ quarters_around }}
                    then
                        {{ stable(
                            'sum(kept.mrr_now_usd) over (partition by kept.function'
                            ~ ' order by kept.quarter_start_on rows between ' ~ rows ~ ')'
                            ~ ' / nullif(sum(kept.mrr_before_usd) over (partition by kept.function'
                            ~ ' order by kept.quarter_start_on rows between ' ~ rows ~ '), 0)'
                        ) }}
            end as net_retention_{{ side }},
        {% endfor -%}
        kept.quarter_start_on,
        kept.function
    from kept
    inner join quarters on kept.quarter_start_on = quarters.quarter_start_on
),

owning_functions as (
    select distinct function
    from kept
),

won as (
    select
        cast({{ dbt.date_trunc('quarter', 'month') }} as date) as quarter_start_on,
        '(all)' as function,
        12 * sum(case when movement_type in ('new', 'reactivation') then amount_usd else 0 end)
            as new_arr_usd
    from movements
    group by cast({{ dbt.date_trunc('quarter', 'month') }} as date)
),

numbers as (
    {{ thousand_numbers() }}
),

-- Leadership: who came, who went, and days on which a function had no vice president.
quarter_days as (
    select
        quarters.quarter_start_on,
        {{ days_after('quarters.quarter_start_on', 'numbers.n') }} as day_on
    from quarters
    inner join numbers on numbers.n < 92
    where
        {{ days_after('quarters.quarter_start_on', 'numbers.n') }} <= quarters.quarter_end_on
        and {{ days_after('quarters.quarter_start_on', 'numbers.n') }} <= {{ as_of_date() }}
),

staffed as (
    select
        quarter_days.quarter_start_on,
        employees.function,
        count(*) as person_days,
        count(distinct case when employees.is_vice_president then quarter_days.day_on end)
            as vp_days
    from quarter_days
    inner join employees
        on
            quarter_days.day_on >= employees.hired_on
            and quarter_days.day_on < employees.left_on
    group by quarter_days.quarter_start_on, employees.function
),

days_counted as (
    select
        quarter_start_on,
        count(*) as days
    from quarter_days
    group by quarter_start_on
),

first_vps as (
    select
        function,
        min(hired_on) as first_vp_on
    from employees
    where is_vice_president
    group by function
),

vp_changes as (
    select
        quarters.quarter_start_on,
        employees.function,
        count(case when employees.hired_on >= quarters.quarter_start_on then 1 end)
        + count(case when employees.left_on <= quarters.quarter_end_on then 1 end) as vp_changes
    from quarters
    inner join employees
        on
            employees.is_vice_president
            and quarters.quarter_end_on >= employees.hired_on
            and quarters.quarter_start_on <= employees.left_on
    group by quarters.quarter_start_on, employees.function
),

totals as (
    select
        quarter_start_on,
        retention_spend_usd,
        acquisition_spend_usd
    from spent
    where function = '(all)'
)

select
    quarters.quarter_start_on,
    functions.function,
    paid_for.relationship_definition,
    paid_for.incentive_metric,
    {{ stable('paid_for.retention_weight') }} as retention_weight,
    case
        when incentives_recorded.is_recorded
            then cast(coalesce(incentive_changes.incentives_changed, 0) as bigint)
    end as incentives_changed,
    cast(spent.acquisition_spend_usd as decimal(18, 2)) as acquisition_spend_usd,
    cast(spent.retention_spend_usd as decimal(18, 2)) as retention_spend_usd,
    {{ share_of(
        'spent.retention_spend_usd', '(spent.retention_spend_usd + spent.acquisition_spend_usd)'
    ) }} as retention_spend_share,
    {{ share_of('spent.retention_spend_usd', 'totals.retention_spend_usd') }}
        as share_of_retention_spend,
    {{ stable('spent.headcount') }} as headcount,
    {{ stable('spent.retention_headcount') }} as retention_headcount,
    cast(coalesce(lost.customers_lost, 0) as bigint) as customers_lost,
    cast(coalesce(lost.lost_arr_usd, 0) as decimal(18, 2)) as lost_arr_usd,
    {{ share_of('coalesce(lost.lost_arr_usd, 0)', 'all_lost.lost_arr_usd') }} as share_of_lost_arr,
    cast(case when functions.function = '(all)' then won.new_arr_usd end as decimal(18, 2))
        as new_arr_usd,
    {{ share_of('spent.acquisition_spend_usd', 'won.new_arr_usd') }} as cost_to_acquire_per_arr,
    {{ share_of(
        'spent.per_year * spent.retention_spend_usd',
        "(case when functions.function = '(all)' then 12 * kept.mrr_kept_usd end)"
    ) }} as cost_to_retain_per_arr,
    case
        when quarters.last_month_end_on >= touches_recorded.from_on
            then cast(coalesce(touched.touches, 0) as bigint)
    end as touches,
    {{ share_of('coalesce(touched.touches, 0)', 'all_touched.touches') }} as touch_share,
    {{ stable('touched.customer_hours') }} as customer_hours,
    {{ stable(
        'case when staffed.person_days > 0 then touched.customer_hours / (staffed.person_days'
        ~ ' * ' ~ hours_a_quarter ~ ' / 91.3125) end'
    ) }} as customer_time_share,
    case
        when quarters.last_month_end_on >= owners_recorded.from_on
            then cast(coalesce(coverage.account_months, 0) as bigint)
    end as account_months,
    case
        when
            quarters.last_month_end_on >= owners_recorded.from_on
            and functions.function = '(all)'
            then cast(coalesce(coverage.unowned_account_months, 0) as bigint)
    end as unowned_account_months,
    case
        when quarters.last_month_end_on >= owners_recorded.from_on
            then
                {{ share_of(
                    "(case when functions.function = '(all)'"
                    ~ " then coverage.unowned_mrr_months_usd end)",
                    'coverage.mrr_months_usd'
                ) }}
    end as unowned_arr_share,
    cast(proven.accounts_owned as bigint) as accounts_owned,
    case
        when quarters.quarter_end_on >= touches_recorded.from_on
            then cast(proven.accounts_proven as bigint)
    end as accounts_proven,
    case
        when quarters.quarter_end_on >= touches_recorded.from_on
            then {{ share_of('proven.accounts_proven', 'proven.accounts_owned') }}
    end as proof_share,
    {{ share_of('kept.mrr_now_usd', 'kept.mrr_before_usd') }} as owned_net_retention_rate,
    {{ share_of('kept.mrr_kept_usd', 'kept.mrr_before_usd') }} as owned_gross_retention_rate,
    {% for side in ['before', 'after'] -%}
        case
            when owning_functions.function is null then all_around.net_retention_{{ side }}
            else around.net_retention_{{ side }}
        end as net_retention_4q_{{ side }}_rate,
    {% endfor -%}
    cast(
        case
            when first_vps.first_vp_on <= quarters.quarter_end_on
                then coalesce(vp_changes.vp_changes, 0)
        end as bigint
    ) as vp_changes,
    cast(
        case
            when first_vps.first_vp_on <= quarters.quarter_start_on
                then days_counted.days - coalesce(staffed.vp_days, 0)
        end as bigint
    ) as vp_vacancy_days,
    paid_for.retention_weight > 0 as has_retention_incentive,
    -- Whoever owns customers, or answers for those that left, is to be paid for keeping them.
    case
        when coalesce(coverage.account_months, 0) > 0 or lost.customers_lost > 0
            then paid_for.retention_weight > 0
    end as is_owner_metric_linked,
    quarters.quarter_end_on <= {{ as_of_date() }} as is_quarter_over
from quarters
cross join functions
cross join owners_recorded
cross join touches_recorded
cross join incentives_recorded
{% for part in [
    'paid_for', 'incentive_changes', 'spent', 'lost', 'touched', 'coverage', 'proven', 'kept',
    'won', 'staffed', 'vp_changes', 'around',
] -%}
    left join {{ part }}
        on
            quarters.quarter_start_on = {{ part }}.quarter_start_on
            and functions.function = {{ part }}.function
{% endfor -%}
left join around as all_around
    on quarters.quarter_start_on = all_around.quarter_start_on and all_around.function = '(all)'
left join owning_functions on functions.function = owning_functions.function
left join days_counted on quarters.quarter_start_on = days_counted.quarter_start_on
left join first_vps on functions.function = first_vps.function
left join totals on quarters.quarter_start_on = totals.quarter_start_on
left join lost as all_lost
    on quarters.quarter_start_on = all_lost.quarter_start_on and all_lost.function = '(all)'
left join touched as all_touched
    on quarters.quarter_start_on = all_touched.quarter_start_on and all_touched.function = '(all)'
