{# A renewal signed inside its grace is a late signature and no return: the most month-ends that a
   grace of so many days can span. #}
{% set grace_months = (var('renewal_grace_days') | int) // 28 + 1 %}
with

losses as (
    select
        account_id,
        lost_month,
        coalesce(segment, '(unknown)') as segment,
        months_away,
        is_won_back
    from {{ ref('winback') }}
),

numbers as (
    {{ thousand_numbers() }}
),

-- Every departure from its first month on, and those who stayed away past the grace from there on:
-- the second curve says what may still be hoped for once an account is really gone.
bases as (
    select
        'every_loss' as loss_base,
        0 as followed_from_month
    union all
    select
        'past_grace' as loss_base,
        {{ grace_months }} as followed_from_month
),

cut as (
    select
        bases.loss_base,
        bases.followed_from_month,
        losses.segment,
        losses.months_away,
        losses.is_won_back
    from losses
    inner join bases
        on losses.months_away > bases.followed_from_month or bases.followed_from_month = 0
    union all
    select
        bases.loss_base,
        bases.followed_from_month,
        '(all)' as segment,
        losses.months_away,
        losses.is_won_back
    from losses
    inner join bases
        on losses.months_away > bases.followed_from_month or bases.followed_from_month = 0
),

-- At risk of returning in a month: still away when it began, and followed to its end.
months as (
    select
        cut.loss_base,
        cut.segment,
        numbers.n as months_since_loss,
        count(*) as at_risk,
        count(case when cut.is_won_back and cut.months_away = numbers.n then 1 end) as returned
    from cut
    inner join numbers
        on cut.months_away >= numbers.n and cut.followed_from_month <= numbers.n
    group by cut.loss_base, cut.segment, numbers.n
),

curves as (
    select
        loss_base,
        segment,
        months_since_loss,
        at_risk,
        returned,
        max(at_risk) over loss_so_far as losses,
        sum(returned) over loss_so_far as returned_so_far,
        sum(case when returned < at_risk then ln(1 - returned * 1.0 / at_risk) else 0 end)
            over loss_so_far
            as log_away,
        -- Once everybody still followed has returned, nobody is away whatever comes after.
        max(case when returned = at_risk then 1 else 0 end) over loss_so_far as is_exhausted,
        sum(
            case
                when returned < at_risk
                    then returned * 1.0 / (cast(at_risk as double) * (at_risk - returned))
                else 0
            end
        ) over loss_so_far as greenwood_sum
    from months
    window loss_so_far as (
        partition by loss_base, segment
        order by months_since_loss
        rows between unbounded preceding and current row
    )
),

estimated as (
    select
        loss_base,
        segment,
        months_since_loss,
        losses,
        at_risk,
        returned,
        returned_so_far,
        case when is_exhausted = 1 then 0.0 else exp(log_away) end as away,
        case when is_exhausted = 1 then 0.0 else exp(log_away) * sqrt(greenwood_sum) end
            as away_error
    from curves
)

select
    loss_base,
    segment,
    cast(months_since_loss as bigint) as months_since_loss,
    {{ stable('months_since_loss / 12.0') }} as years_since_loss,
    cast(losses as bigint) as losses,
    cast(at_risk as bigint) as accounts_at_risk,
    cast(returned as bigint) as accounts_returned,
    cast(returned_so_far as bigint) as accounts_returned_so_far,
    {{ stable('1 - away') }} as winback_rate,
    {{ stable('greatest(1 - away - 1.959963985 * away_error, 0.0)') }} as winback_low_rate,
    {{ stable('least(1 - away + 1.959963985 * away_error, 1.0)') }} as winback_high_rate,
    -- A whole year away, for reading the curve year by year.
    mod(months_since_loss, 12) = 0 as is_whole_year,
    -- Few departures make a curve that tells stories about single ones.
    losses >= 20 as is_reportable
from estimated
