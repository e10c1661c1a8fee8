"""Airflow DAGs of the jobs of type salesforce_tasks_outbound: Totango tasks become Salesforce tasks."""

from cshub.dag_factory import build_dags

for dag in build_dags("salesforce_tasks_outbound"):
    globals()[dag.dag_id] = dag
