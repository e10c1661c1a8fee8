FROM python:3.12-slim-bookworm
RUN apt-get update && apt-get install -y --no-install-recommends curl dumb-init && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 50000 airflow
WORKDIR /opt/cshub
RUN pip install --no-cache-dir "uv>=0.13,<0.14"
COPY pyproject.toml uv.lock README.md LICENSE ./
COPY plugins plugins
COPY sandbox sandbox
COPY runtime runtime
RUN uv sync --locked --no-dev --extra celery --extra s3 --extra fab --compile-bytecode
COPY dags dags
COPY include include
COPY deploy deploy
ENV PATH=/opt/cshub/.venv/bin:$PATH \
    AIRFLOW_HOME=/opt/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/cshub/dags \
    AIRFLOW__CORE__PLUGINS_FOLDER=/opt/cshub/plugins \
    PYTHONPATH=/opt/cshub/plugins
RUN mkdir -p /opt/airflow && chown airflow /opt/airflow
USER airflow
ENTRYPOINT ["dumb-init", "--"]
CMD ["airflow", "version"]
