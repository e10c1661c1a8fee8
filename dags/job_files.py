"""Shows every fault of every job file among Airflow's DAG import errors.

It makes no DAG itself. Airflow suspends all DAGs of a file that has an import error, so the faults are told here and
the jobs without fault go on.
"""

from cshub.dag_factory import refuse_broken_jobs

refuse_broken_jobs()
