"""The five steps of a run as plain functions: extract, map, diff, load, and what they share.

Operators and the command line call these; each step reads what the step before staged, asks the core, and stages its
own result. Nothing here knows Airflow.
"""
