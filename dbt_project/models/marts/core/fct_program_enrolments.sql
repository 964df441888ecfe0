with

enrolments as (
    select
        enrolments.program_id,
        accounts.account_id,
        enrolments.arm,
        enrolments.enrolled_on,
        enrolments.known_at,
        count(*) over (partition by enrolments.program_id, accounts.account_id) as records,
        min(enrolments.arm)
            over (partition by enrolments.program_id, accounts.account_id)
            as lowest_arm,
        max(enrolments.arm)
            over (partition by enrolments.program_id, accounts.account_id)
            as highest_arm,
        row_number() over (
            partition by enrolments.program_id, accounts.account_id
            order by enrolments.enrolled_on, enrolments.known_at, enrolments.arm
        ) as first_rank
    from {{ ref('input_program_enrolments') }} as enrolments
    inner join {{ ref('int_account_map') }} as accounts
        on enrolments.account_id = accounts.source_account_id
    where not accounts.is_test
)

-- Two accounts of one programme that merged are one: the first enrolment stands, as the account
-- lived under it.
select
    program_id,
    account_id,
    enrolled_on,
    known_at,
    arm,
    cast(records as bigint) as enrolment_records,
    lowest_arm <> highest_arm as has_both_arms
from enrolments
where first_rank = 1
