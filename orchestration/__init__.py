"""Orchestration: names, orders, schedules and observes the nightly run.

Belongs here: Dagster assets, checks, jobs, schedules, sensors, resources, and the command that a
person or a cron calls. Must not be here: any figure, any vendor, any SQL beyond counting rows. The
work is in `ingestion/`, `dbt_project/`, `scoring/` and `publishing/`; nothing imports this package.
"""
