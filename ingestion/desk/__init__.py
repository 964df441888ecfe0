"""Connectors to the success desk: what customer-success teams keep in files."""
