"""The quality gate: expectations on what a load brought, before anything is built on it."""
