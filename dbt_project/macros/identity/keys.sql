{# Charter: texts that people write in many ways, brought to the form in which they are compared. Not here: how
   much an agreement is worth (seeds/identity/match_weights.csv) or what follows from it (the pair models). #}

{# Legal forms (the common ones of ISO 20275) and words that say no more than that it is a company. #}
{% macro _company_words() -%}
{{ return([
    'inc', 'incorporated', 'llc', 'llp', 'lp', 'ltd', 'limited', 'plc', 'corp', 'corporation', 'co', 'company',
    'gmbh', 'ag', 'kg', 'ug', 'se', 'sa', 'sas', 'sarl', 'srl', 'spa', 'bv', 'nv', 'oy', 'oyj', 'ab', 'as', 'aps',
    'kk', 'k k', 'pty', 'pte', 'pvt', 'sro', 'zoo', 'sl', 'lda', 'the', 'and', 'group', 'holding', 'holdings',
    'international', 'intl', 'global',
]) }}
{%- endmacro %}

{# Words of a company's name without legal form, accents and punctuation, each followed by a blank. #}
{% macro company_words(name) -%}
    {%- set spaced = replaced(folded(name), '[^a-z0-9]+', ' ') -%}
    {%- set pattern = ' (' ~ _company_words() | join('|') ~ ')( (' ~ _company_words() | join('|') ~ '))* ' -%}
    {{ replaced("' ' || trim(" ~ spaced ~ ") || ' '", pattern, ' ') }}
{%- endmacro %}

{# The words run together: `Alder-Analytics, Inc.` and `ALDER ANALYTICS` are alderanalytics. #}
{% macro company_key(name) -%}
    nullif(replace({{ company_words(name) }}, ' ', ''), '')
{%- endmacro %}

{# Domain of a web site or mail address: no scheme, no `www.`, no path. #}
{% macro web_domain(address) -%}
    nullif({{ before(replaced(
        replaced('lower(trim(' ~ address ~ '))', '^([a-z][a-z0-9+.-]*://)?([^/@]*@)?(www[.])*', ''), '[/?#:].*$', ''
    ), '/') }}, '')
{%- endmacro %}

{# Domains under which everybody has a mailbox or a page: sharing one says nothing. #}
{% macro is_shared_domain(domain) -%}
    {{ domain }} in (
        'gmail.com', 'googlemail.com', 'outlook.com', 'hotmail.com', 'live.com', 'yahoo.com', 'icloud.com', 'aol.com',
        'gmx.net', 'gmx.de', 'web.de', 'proton.me', 'protonmail.com', 'mail.com', 'qq.com', '163.com',
        'facebook.com', 'linkedin.com', 'github.com', 'sites.google.com', 'wordpress.com', 'wixsite.com'
    )
{%- endmacro %}

{# Mailbox of an address: before the @, without the `+label` that its holder may add (RFC 5233). #}
{% macro mailbox(email) -%}
    {{ before(before('lower(trim(' ~ email ~ '))', '@'), '+') }}
{%- endmacro %}

{# The address that its holder reads under all its aliases. #}
{% macro email_key(email) -%}
    case
        when {{ email }} like '%_@_%'
            then {{ mailbox(email) }} || '@' || {{ dbt.split_part('lower(trim(' ~ email ~ '))', "'@'", 2) }}
    end
{%- endmacro %}

{# Mailboxes of a role, which several people read (RFC 2142 and what offices add to it). #}
{% macro is_role_mailbox(box) -%}
    {{ box }} in (
        'info', 'marketing', 'sales', 'support', 'abuse', 'noc', 'security', 'postmaster', 'hostmaster', 'usenet',
        'news', 'webmaster', 'www', 'uucp', 'ftp', 'admin', 'administrator', 'office', 'contact', 'hello', 'mail',
        'team', 'billing', 'accounts', 'accounting', 'invoices', 'finance', 'purchasing', 'procurement', 'orders',
        'hr', 'jobs', 'careers', 'help', 'helpdesk', 'service', 'customerservice', 'it', 'legal', 'press', 'noreply',
        'no-reply', 'reception', 'enquiries', 'inquiries', 'privacy'
    )
{%- endmacro %}

{# Letters of a name and nothing else. #}
{% macro name_letters(name) -%}
    nullif({{ replaced(folded(name), '[^a-z]', '') }}, '')
{%- endmacro %}

{# First of the given names, letters only: `Anne-Marie J.` is anne. #}
{% macro given_name(name) -%}
    nullif({{ replaced(before(replaced('trim(' ~ folded(name) ~ ')', '[ .-]+', ' '), ' '), '[^a-z]', '') }}, '')
{%- endmacro %}
