#!/bin/sh
# Brings both databases up to date, makes the staging bucket and the first administrator. Safe to repeat.
set -eu
airflow db migrate
cshub ledger upgrade
python - <<'PYTHON'
import boto3
from airflow.sdk import BaseHook

store = BaseHook.get_connection("staging_store")
client = boto3.client(
    "s3",
    endpoint_url=store.extra_dejson["endpoint_url"],
    aws_access_key_id=store.login,
    aws_secret_access_key=store.password,
)
if "cshub-staging" not in {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}:
    client.create_bucket(Bucket="cshub-staging")
PYTHON
airflow users create --username admin --password "$ADMIN_PASSWORD" --role Admin \
  --firstname Admin --lastname User --email admin@example.com || true
