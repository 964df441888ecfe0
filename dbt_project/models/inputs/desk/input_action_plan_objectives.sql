select
    objectives.objective_id,
    objectives.action_plan_id,
    objectives.name,
    objectives.due_on,
    {{ come_by('objectives.done_on') }} as done_on,
    coalesce(objectives.known_at, plans.known_at, objectives.version_at) as known_at
from {{ ref('stg_desk__action_plan_objectives') }} as objectives
left join {{ ref('input_action_plans') }} as plans
    on objectives.action_plan_id = plans.action_plan_id
where objectives.known_at is null or objectives.known_at < {{ as_of_end() }}
