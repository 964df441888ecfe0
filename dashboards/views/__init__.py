"""The pages, one module each: `FILTERS` it heeds, and `show(page)`, which draws it.

Belongs here: which question stands first, which figures and charts answer it, in which words. Must
not be here: SQL (`queries`), formats (`formats`), marks and colours (`charts`). The answer stands
before the chart; what is missing is said.
"""
