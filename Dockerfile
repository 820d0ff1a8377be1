# One image, two uses: `--target server` scores and answers; the last stage also trains and keeps MLflow.
# The locks carry hashes and no index address: pip asks the index that the machine is set up for.
FROM python:3.11-slim AS server

ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 \
    DO_NOT_TRACK=true MLFLOW_DISABLE_TELEMETRY=true
WORKDIR /opt/baton
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH

COPY requirements/uv.lock requirements/server.lock requirements/
RUN pip install --require-hashes -r requirements/uv.lock \
 && uv pip install --python /opt/venv/bin/python --require-hashes --no-deps -r requirements/server.lock

COPY pyproject.toml README.md LICENSE ./
COPY baton baton
COPY features features
COPY training training
COPY serving serving
# The sources are on the path as they are: no build step, so nothing unlocked is fetched for one.
RUN echo /opt/baton > "$(python -c 'import site; print(site.getsitepackages()[0])')/baton.pth" \
 && python -m training.warm \
 && useradd --create-home --uid 10001 baton && mkdir var && chown -R baton var
USER baton
EXPOSE 8000
ENTRYPOINT ["python", "-m", "baton"]
CMD ["serve", "--host", "0.0.0.0"]

FROM server AS trainer
USER root
COPY requirements/all.lock requirements/
RUN apt-get update && apt-get install --yes --no-install-recommends libgomp1 \
 && rm -rf /var/lib/apt/lists/* \
 && uv pip install --python /opt/venv/bin/python --require-hashes --no-deps -r requirements/all.lock \
 && mkdir mlruns && chown baton mlruns
USER baton
