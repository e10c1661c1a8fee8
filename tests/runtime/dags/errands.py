"""DAGs for the tests of the local Airflow: nothing of the hub is in them."""

import datetime as dt
import time

from airflow.sdk import Asset, dag, task
from airflow.timetables.interval import CronDataIntervalTimetable

REPORTS = Asset("errands://reports")


@dag(dag_id="errand", schedule=None, start_date=dt.datetime(2026, 1, 1, tzinfo=dt.UTC), params={"read": 1, "rest_s": 0})
def errand() -> None:
    """Leave a report like that of a load task; rest first if told to."""

    @task(retries=2, retry_delay=dt.timedelta(seconds=1))
    def load(params: dict[str, int] | None = None) -> dict[str, object]:
        given = params or {}
        time.sleep(given["rest_s"])
        counts = {
            "read": given["read"],
            "mapped": given["read"],
            "created": given["read"],
            "skipped": {"no_account": 0},
        }
        return {"version": 1, "outcome": "green", "stats": {**counts, "api_calls": {"totango": 3}}}

    load()


@dag(
    dag_id="daily_errand",
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    catchup=False,
)
def daily_errand() -> None:
    """Give back the start of the interval."""

    @task(outlets=[REPORTS])
    def which_day(dag_run: object = None) -> str:
        return str(getattr(dag_run, "data_interval_start", None))

    which_day()


errand()
daily_errand()
