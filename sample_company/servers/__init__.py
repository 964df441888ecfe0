"""The sample company's systems, reached over HTTP exactly as the vendors' own are.

Belongs here: protocols (paths, paging, filters, authentication, errors, versions, rate limits) and
the mapping from the world's tables to vendor JSON. Does not belong here: how the world behaves,
where its files lie, or anything a connector would have to know in advance.
"""
