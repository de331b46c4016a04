# One image, two roles: the gateway (`python -m api`, the default) and MockLLM (`python -m serving.mock_llm`).
# Wheels come from PyPI, or from deploy/wheelhouse if scripts/containers/wheelhouse.sh filled it for these very
# requirements; either way pip checks them against the hashes in requirements-gateway.txt.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/venv
COPY requirements-gateway.txt /build/
COPY deploy/wheelhouse/ /build/wheelhouse/
# pip and setuptools go again: the running gateway installs nothing.
WORKDIR /build
RUN if sha256sum --check --status wheelhouse/requirements.sha256 2>/dev/null; then \
        export PIP_NO_INDEX=1 PIP_FIND_LINKS=/build/wheelhouse; \
    fi \
    && /opt/venv/bin/pip install --only-binary :all: --require-hashes --requirement requirements-gateway.txt \
    && /opt/venv/bin/pip uninstall --yes --quiet pip setuptools
COPY . /app
# Compiled here, because the file system is read-only where it runs. The sources never change there: no checks.
RUN rm -rf /app/deploy /app/requirements-gateway.txt \
    && python -m compileall -q --invalidation-mode unchecked-hash /app /opt/venv/lib

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="ai-serving-platform gateway" \
      org.opencontainers.image.description="OpenAI-compatible gateway, and the MockLLM engine simulator"
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin platform \
    && install -d -o platform -g platform /var/lib/ai-serving
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    GATEWAY_HOST=0.0.0.0 GATEWAY_PORT=8000 DATA_DIR=/var/lib/ai-serving
VOLUME /var/lib/ai-serving
WORKDIR /app
USER platform
EXPOSE 8000
# http.client and not urllib: a proxy from the environment must not come between.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-c", "\
import http.client, os; \
connection = http.client.HTTPConnection('127.0.0.1', int(os.environ['GATEWAY_PORT']), timeout=4); \
connection.request('GET', '/healthz'); \
raise SystemExit(connection.getresponse().status != 200)"]
CMD ["python", "-m", "api"]
