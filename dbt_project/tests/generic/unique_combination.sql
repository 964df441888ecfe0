{#
    With `newest_days`, only the rows of the newest days by `day_column` are looked at. Not as a
    `where` of the test: that is written down when the project is parsed, before the date is known.
#}
{% test unique_combination(model, columns, day_column=none, newest_days=none) %}
select
    {{ columns | join(', ') }},
    count(*) as row_count
from {{ model }}
{% if day_column is not none %}
where {{ day_column }} > {{ as_of_date() }} - interval {{ newest_days }} day
{% endif %}
group by {{ columns | join(', ') }}
having count(*) > 1
{% endtest %}
