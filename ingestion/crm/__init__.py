"""Connectors to CRM systems: one module a vendor, and the configuration of their objects."""
