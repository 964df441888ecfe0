"""The pages in the browser: what to do today, renewals, revenue, cohorts, value, accounts, trust.

Belongs here: reading the published marts and showing them. Must not be here: anything that computes
a figure of its own. What a mart already says is shown; sums over rows are formed in `queries`; the
what-if formulas are the warehouse's macros (`what_if`). Nothing but `published/current` is read.

    night      the published night that a page is drawn from
    queries    SQL, one module a page; each function gives a DataFrame
    formats    how money, shares and dates are written
    charts     how figures are drawn
    views      the pages, thin
    app        the frame around them: navigation, filters, the night's date
    server     the web server on 127.0.0.1
"""
