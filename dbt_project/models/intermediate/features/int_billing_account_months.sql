with

observations as (
    select
        account_id,
        observed_on,
        month_number
    from {{ ref('int_account_observations') }}
),

customers as (
    select
        billing_customer_id,
        account_id
    from {{ ref('int_billing_customer_map') }}
    where account_id is not null
),

months_later as (
    {{ months_later(12) }}
),

-- What was refunded, disputed or charged off is written on the payment later and without its own
-- date, so it is not used: only that a payment was tried, and whether it failed.
payments as (
    select
        customers.account_id,
        {{ utc_date('payments.paid_at') }} as tried_on,
        case when payments.status = 'failed' then 1 else 0 end as failed
    from {{ ref('input_payments') }} as payments
    inner join customers on payments.billing_customer_id = customers.billing_customer_id
    where payments.paid_at is not null
),

tried as (
    select
        observations.account_id,
        observations.observed_on,
        count(*) as payments_tried_12m,
        sum(payments.failed) as payments_failed_12m,
        sum(
            case
                when {{ within_days('payments.tried_on', 'observations.observed_on', 90) }}
                    then payments.failed
                else 0
            end
        ) as payments_failed_90d
    from payments
    cross join months_later
    inner join observations
        on
            payments.account_id = observations.account_id
            and {{ month_index('payments.tried_on') }} + months_later.months_later
            = observations.month_number
    where
        payments.tried_on <= observations.observed_on
        and {{ within_days('payments.tried_on', 'observations.observed_on', 365) }}
    group by observations.account_id, observations.observed_on
),

-- A voided invoice is taken back as a whole; every other one was owed from its day on.
invoices as (
    select
        customers.account_id,
        {{ utc_date('invoices.issued_at') }} as issued_on,
        {{ utc_date('coalesce(invoices.due_at, invoices.issued_at)') }} as payable_on,
        {{ utc_date('invoices.paid_at') }} as paid_on
    from {{ ref('input_invoices') }} as invoices
    inner join customers on invoices.billing_customer_id = customers.billing_customer_id
    where invoices.status not in ('draft', 'void') and invoices.issued_at is not null
),

owed as (
    select
        observations.account_id,
        observations.observed_on,
        count(*) as invoices_payable_12m,
        -- A week late is a bank holiday, more is a habit.
        sum(
            case
                when invoices.paid_on is null or invoices.paid_on > observations.observed_on
                    then
                        case
                            when
                                invoices.payable_on
                                < {{ days_after('observations.observed_on', -7) }}
                                then 1
                            else 0
                        end
                when invoices.paid_on > {{ days_after('invoices.payable_on', 7) }} then 1
                else 0
            end
        ) as invoices_late_12m,
        min(
            case
                when invoices.paid_on is null or invoices.paid_on > observations.observed_on
                    then invoices.payable_on
            end
        ) as oldest_unpaid_on
    from invoices
    cross join months_later
    inner join observations
        on
            invoices.account_id = observations.account_id
            and {{ month_index('invoices.payable_on') }} + months_later.months_later
            = observations.month_number
    where
        invoices.issued_on <= observations.observed_on
        and invoices.payable_on <= observations.observed_on
        and {{ within_days('invoices.payable_on', 'observations.observed_on', 365) }}
    group by observations.account_id, observations.observed_on
),

credit_notes as (
    select
        customers.account_id,
        {{ utc_date('notes.issued_at') }} as issued_on
    from {{ ref('input_credit_notes') }} as notes
    inner join customers on notes.billing_customer_id = customers.billing_customer_id
),

credited as (
    select
        observations.account_id,
        observations.observed_on,
        count(*) as credit_notes_12m
    from credit_notes
    cross join months_later
    inner join observations
        on
            credit_notes.account_id = observations.account_id
            and {{ month_index('credit_notes.issued_on') }} + months_later.months_later
            = observations.month_number
    where
        credit_notes.issued_on <= observations.observed_on
        and {{ within_days('credit_notes.issued_on', 'observations.observed_on', 365) }}
    group by observations.account_id, observations.observed_on
),

-- No trouble is a fact only where invoices are recorded at all.
coverage as (
    select min(issued_on) as recorded_from_on
    from invoices
)

select
    observations.account_id,
    observations.observed_on,
    owed.oldest_unpaid_on,
    {% for measure in ['payments_failed_90d', 'payments_failed_12m'] -%}
        case
            when observations.observed_on >= coverage.recorded_from_on
                then cast(coalesce(tried.{{ measure }}, 0) as bigint)
        end as {{ measure }},
    {% endfor -%}
    case
        when observations.observed_on >= coverage.recorded_from_on
            then cast(coalesce(credited.credit_notes_12m, 0) as bigint)
    end as credit_notes_12m,
    cast(
        case
            when observations.observed_on >= coverage.recorded_from_on
                then
                    coalesce({{ dbt.datediff(
                        'owed.oldest_unpaid_on', 'observations.observed_on', 'day'
                    ) }}, 0)
        end as bigint
    ) as days_overdue,
    {{ stable('1.0 * owed.invoices_late_12m / owed.invoices_payable_12m', 6) }}
        as late_invoice_share_12m
from observations
cross join coverage
left join tried
    on observations.account_id = tried.account_id and observations.observed_on = tried.observed_on
left join owed
    on observations.account_id = owed.account_id and observations.observed_on = owed.observed_on
left join credited
    on
        observations.account_id = credited.account_id
        and observations.observed_on = credited.observed_on
