"""Tenure's connectors: vendors' records in, an append-only lake of Parquet files out.

Belongs here: settings, one module a vendor, and what they share (lake, windows, rejects, privacy,
retrying HTTP, quality gate). Must not be here: orchestration, transformation into canonical shapes
(that is the staging layer's work) and scoring. Nothing in this package imports any of them.
"""
