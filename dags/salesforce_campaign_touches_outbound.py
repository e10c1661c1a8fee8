"""Airflow DAGs of the jobs of type salesforce_campaign_touches_outbound: campaign touches become Salesforce events."""

from cshub.dag_factory import build_dags

for dag in build_dags("salesforce_campaign_touches_outbound"):
    globals()[dag.dag_id] = dag
