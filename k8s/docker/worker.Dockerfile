# A node's agent, with the Python that its ranks run on; one target for CPUs, one for NVIDIA GPUs.
# Build them from the repository's root:
#   docker build -f k8s/docker/worker.Dockerfile --target cpu -t moestro/worker-cpu:0.1.0 .
#   docker build -f k8s/docker/worker.Dockerfile --target cuda -t moestro/worker-cuda:0.1.0 .
FROM node:24.21.0-bookworm-slim AS packages
WORKDIR /opt/moestro
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund

FROM python:3.12.11-slim-bookworm AS python-cpu
COPY worker/engine/requirements.txt k8s/docker/constraints.txt /tmp/
RUN python -m venv /opt/python \
 && /opt/python/bin/pip install --no-cache-dir --disable-pip-version-check \
      --extra-index-url https://download.pytorch.org/whl/cpu \
      "torch==2.13.0+cpu" -r /tmp/requirements.txt -c /tmp/constraints.txt

# PyTorch's own wheels carry CUDA, NCCL and Triton.
FROM python:3.12.11-slim-bookworm AS python-cuda
COPY worker/engine/requirements.txt k8s/docker/constraints.txt /tmp/
RUN python -m venv /opt/python \
 && /opt/python/bin/pip install --no-cache-dir --disable-pip-version-check \
      -r /tmp/requirements.txt -c /tmp/constraints.txt

FROM python:3.12.11-slim-bookworm AS agent
WORKDIR /opt/moestro
COPY --from=packages /usr/local/bin/node /usr/local/bin/node
COPY --from=packages /opt/moestro/node_modules node_modules
COPY package.json LICENSE ./
COPY bin bin
COPY proto proto
COPY coordinator coordinator
COPY worker worker
COPY data/validation data/validation
# Ends the processes that ranks leave behind, such as compilers', which nobody waits for.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends tini \
 && rm -rf /var/lib/apt/lists/*
RUN ln -s /opt/moestro/bin/moestro.mjs /usr/local/bin/moestro \
 && groupadd --gid 10001 moestro \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/moestro moestro
ENV NODE_ENV=production \
    NODE_COMPILE_CACHE=/tmp/node-compile-cache \
    MOESTRO_PYTHON=/opt/python/bin/python \
    PYTHONDONTWRITEBYTECODE=1
ENTRYPOINT ["tini", "--", "moestro"]
CMD ["agent"]

FROM agent AS cpu
COPY --from=python-cpu /opt/python /opt/python
USER 10001:10001

FROM agent AS cuda
# Triton compiles a launcher for each kernel.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends gcc libc6-dev \
 && rm -rf /var/lib/apt/lists/*
COPY --from=python-cuda /opt/python /opt/python
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 10001:10001
