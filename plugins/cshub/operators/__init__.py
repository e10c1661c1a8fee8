"""The steps of a run as Airflow operators: gather, call one step of the pipeline, return references and numbers."""
