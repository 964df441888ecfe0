"""Connectors to billing systems: one module a vendor."""
