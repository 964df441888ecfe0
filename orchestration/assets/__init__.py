"""The assets of the nightly run, one module a group.

Belongs here: what is called, in which order, and what is reported. Must not be here: the work.
"""
