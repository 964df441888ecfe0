"""Connectors to product usage: raw events and monthly aggregates."""
