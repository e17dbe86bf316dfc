# syntax=docker/dockerfile:1
FROM python:3.11-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy
WORKDIR /src
RUN python -m venv /opt/uv && /opt/uv/bin/pip install --no-cache-dir uv && python -m venv --without-pip /opt/app
COPY requirements.lock ./
RUN /opt/uv/bin/uv pip sync --python /opt/app/bin/python requirements.lock
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY app ./app
RUN /opt/uv/bin/uv pip install --python /opt/app/bin/python --no-deps .

# The last stage has no build tools; the embedding model and its vocabulary come with the installed packages.
FROM python:3.11-slim
ENV PATH=/opt/app/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 ORT_DISABLE_TELEMETRY=1 \
    ANONYMIZED_TELEMETRY=False HOME=/tmp SRE_AGENT_HOST=0.0.0.0 SRE_AGENT_PORT=8000 SRE_AGENT_DATA_DIR=/data
RUN groupadd --gid 10001 agent && useradd --uid 10001 --gid agent --no-create-home --shell /usr/sbin/nologin agent \
    && install -d -o agent -g agent /data && rm -rf /usr/local/lib/python3.11/site-packages/pip* /usr/local/bin/pip*
COPY --from=build --chown=agent:agent /opt/app /opt/app
USER 10001:10001
WORKDIR /tmp
# Run with a read-only root: --read-only --tmpfs /tmp -v sre-agent:/data --cap-drop ALL --security-opt no-new-privileges
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/health/live', timeout=4)"]
ENTRYPOINT ["sre-agent"]
CMD ["serve"]
