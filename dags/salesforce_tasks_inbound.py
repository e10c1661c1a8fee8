"""Airflow DAGs of the jobs of type salesforce_tasks_inbound: Salesforce tasks become Totango tasks."""

from cshub.dag_factory import build_dags

for dag in build_dags("salesforce_tasks_inbound"):
    globals()[dag.dag_id] = dag
