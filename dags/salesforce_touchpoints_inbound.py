"""Airflow DAGs of the jobs of type salesforce_touchpoints_inbound: Salesforce events become Totango touchpoints."""

from cshub.dag_factory import build_dags

for dag in build_dags("salesforce_touchpoints_inbound"):
    globals()[dag.dag_id] = dag
