"""Airflow DAGs of the jobs of type salesforce_touchpoints_outbound: Totango touchpoints become Salesforce events."""

from cshub.dag_factory import build_dags

for dag in build_dags("salesforce_touchpoints_outbound"):
    globals()[dag.dag_id] = dag
