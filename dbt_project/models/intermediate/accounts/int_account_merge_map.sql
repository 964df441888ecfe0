{# Each doubling squares the map, so chains of up to 2^10 merges are followed without recursion. #}
{% set doublings = 10 %}

with

accounts as (
    select account_id
    from {{ ref('input_accounts') }}
),

-- An account merged away twice (undone and repeated) follows its newest merge.
ranked_merges as (
    select
        losing_account_id,
        surviving_account_id,
        merged_at,
        row_number() over (
            partition by losing_account_id
            order by merged_at desc, surviving_account_id asc
        ) as newest_rank
    from {{ ref('input_account_merges') }}
    where losing_account_id <> surviving_account_id
),

edges as (
    select
        losing_account_id,
        surviving_account_id,
        merged_at
    from ranked_merges
    where newest_rank = 1
),

nodes as (
    select account_id from accounts
    union
    select losing_account_id as account_id from edges
    union
    select surviving_account_id as account_id from edges
),

hop_0 as (
    select
        nodes.account_id,
        coalesce(edges.surviving_account_id, nodes.account_id) as reached_id,
        coalesce(edges.surviving_account_id, nodes.account_id) as lowest_id_passed
    from nodes
    left join edges on nodes.account_id = edges.losing_account_id
),

{% for hop in range(1, doublings + 1) %}
    hop_{{ hop }} as (
        select
            near.account_id,
            far.reached_id,
            least(near.lowest_id_passed, far.lowest_id_passed) as lowest_id_passed
        from hop_{{ hop - 1 }} as near
        inner join hop_{{ hop - 1 }} as far on near.reached_id = far.account_id
    ),

{% endfor %}
-- Whoever stands on an account that was itself merged away, after so many hops, walks in a circle.
circling as (
    select distinct hops.reached_id as account_id
    from hop_{{ doublings }} as hops
    inner join edges on hops.reached_id = edges.losing_account_id
),

circle_members as (
    select
        circling.account_id,
        hops.lowest_id_passed as circle_id
    from circling
    inner join hop_{{ doublings }} as hops on circling.account_id = hops.account_id
),

-- The newest merge of a circle tells who is alive: its survivor cannot have been gone by then.
circle_merges as (
    select
        members.circle_id,
        edges.surviving_account_id,
        row_number() over (
            partition by members.circle_id
            order by edges.merged_at desc, edges.losing_account_id asc
        ) as newest_rank
    from circle_members as members
    inner join edges on members.account_id = edges.losing_account_id
),

circle_survivors as (
    select
        members.account_id,
        survivors.surviving_account_id
    from circle_members as members
    inner join circle_merges as survivors
        on members.circle_id = survivors.circle_id and survivors.newest_rank = 1
),

resolved as (
    select
        hops.account_id as source_account_id,
        coalesce(circles.surviving_account_id, hops.reached_id) as account_id,
        circles.surviving_account_id is not null as is_in_merge_circle
    from hop_{{ doublings }} as hops
    left join circle_survivors as circles on hops.reached_id = circles.account_id
)

select
    resolved.source_account_id,
    resolved.account_id,
    case
        when resolved.source_account_id <> resolved.account_id then edges.merged_at
    end as merged_at,
    resolved.source_account_id <> resolved.account_id as is_merged,
    resolved.is_in_merge_circle
from resolved
left join edges on resolved.source_account_id = edges.losing_account_id
