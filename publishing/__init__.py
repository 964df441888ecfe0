"""Publishing: what readers see, and when they see it.

Belongs here: copying the public marts out of the warehouse into a folder of their own, checking
that copy, switching the link that readers follow, keeping and rolling back nights.
Must not be here: any computation of a figure, anything that knows the orchestrator or a vendor.
"""
