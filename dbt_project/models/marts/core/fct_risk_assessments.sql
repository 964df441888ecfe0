select
    assessments.risk_assessment_id,
    accounts.account_id,
    assessments.employee_id,
    assessments.assessed_on,
    assessments.known_at,
    assessments.justification_type,
    -- How far the justification carries, from a word of the decision maker down to none.
    case assessments.justification_type
        when 'exec_confirmed' then 'A'
        when 'measured_outcome' then 'B'
        when 'usage' then 'C'
        when 'support_only' then 'D'
        when 'assumption' then 'E'
        when 'none' then 'F'
    end as evidence_grade,
    assessments.sign_today_share,
    assessments.sign_today_share < 0.5 as is_below_half
from {{ ref('input_risk_assessments') }} as assessments
left join {{ ref('int_account_map') }} as accounts
    on assessments.account_id = accounts.source_account_id
where not coalesce(accounts.is_test, false)
