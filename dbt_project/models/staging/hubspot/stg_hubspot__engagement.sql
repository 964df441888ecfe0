{# Table of the lake -> what kind it is, whether it took place, and when and how long it did. #}
{% set kinds = {
    'call': {
        'type': "'call'", 'done': "coalesce(status, 'COMPLETED') = 'COMPLETED'", 'at': 'timestamp',
        'minutes': 'duration_ms / 60000', 'two_way': 'is_two_way',
    },
    'email': {
        'type': "'email'", 'done': 'true', 'at': 'timestamp', 'minutes': 'null',
        'two_way': "coalesce(is_two_way, direction = 'INCOMING_EMAIL')",
    },
    'meeting': {
        'type': "coalesce(type, 'meeting')",
        'done': "coalesce(outcome, 'COMPLETED') not in ('CANCELED', 'NO_SHOW', 'RESCHEDULED')",
        'at': 'coalesce(starts_at, timestamp)',
        'minutes': dbt.datediff('starts_at', 'ends_at', 'minute'), 'two_way': 'is_two_way',
    },
    'note': {
        'type': 'type', 'done': 'type is not null', 'at': 'timestamp', 'minutes': 'null',
        'two_way': 'is_two_way',
    },
    'task': {
        'type': "coalesce(type, 'other')", 'done': "status = 'COMPLETED'",
        'at': 'coalesce(completed_at, timestamp)', 'minutes': 'null', 'two_way': 'is_two_way',
    },
} %}

with
{% for table in kinds %}
    {{ table }}_versions as (
        {{ newest_known('hubspot', table, key=['id'], created='created_at') }}
    ){% if not loop.last %},{% endif %}
{% endfor %}

{% for table, kind in kinds.items() %}
    select
        id as engagement_id,
        '{{ table }}' as engagement_kind,
        coalesce(is_deleted, false) and _was_known as is_deleted,
        created_at,
        updated_at as modified_at,
        company_id as account_id,
        deal_id as opportunity_id,
        owner_id,
        lower({{ kind['type'] }}) as engagement_type,
        {{ kind['done'] }} as has_taken_place,
        {{ kind['at'] }} as event_at,
        cast({{ kind['minutes'] }} as bigint) as duration_minutes,
        {{ kind['two_way'] }} as is_two_way,
        acknowledged_on,
        contacts,
        _version_at as version_at,
        _was_known as is_known_version
    from {{ table }}_versions
    {% if not loop.last %}union all{% endif %}
{% endfor %}
