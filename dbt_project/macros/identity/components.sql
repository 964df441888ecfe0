{# Common table expressions that label everything linked to one another: `<name>` with member and label, the
   label being the smallest member reached. `links` names an expression with member and other_member, both ways
   and each member with itself. A label travels one link a round: nine links from end to end are followed, far
   beyond the chains of records that people leave behind. #}
{% macro components(name, links, rounds=8) -%}
{{ name }}_0 as (
    select
        member,
        min(other_member) as label
    from {{ links }}
    group by member
),

{% for round in range(1, rounds + 1) -%}
{{ name if round == rounds else name ~ '_' ~ round }} as (
    select
        links.member,
        min(labels.label) as label
    from {{ links }} as links
    inner join {{ name }}_{{ round - 1 }} as labels on links.other_member = labels.member
    group by links.member
){% if round < rounds %},

{% endif %}
{%- endfor %}
{%- endmacro %}
