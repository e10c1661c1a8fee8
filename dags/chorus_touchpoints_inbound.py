"""Airflow DAGs of the jobs of type chorus_touchpoints_inbound: Chorus meetings become Totango touchpoints."""

from cshub.dag_factory import build_dags

for dag in build_dags("chorus_touchpoints_inbound"):
    globals()[dag.dag_id] = dag
