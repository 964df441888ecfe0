"""The sample company: a simulated SaaS vendor whose truth is known exactly.

Belongs here: the simulator (`world`), the servers that speak the vendors' APIs, the export of event
files, and the truth that tests compare with. Must not be here: anything the product itself needs.
No other package of this repository imports this one; only tests do.
"""
