# The coordinator: moestro serve, moestro operator, and what of the CLI needs no Python. Build it
# from the repository's root:
#   docker build -f k8s/docker/coordinator.Dockerfile -t moestro/coordinator:0.1.0 .
FROM node:24.21.0-bookworm-slim AS packages
WORKDIR /opt/moestro
COPY package.json package-lock.json ./
# The image's own Node is the pinned one, so that of the development packages is left out.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:24.21.0-bookworm-slim
WORKDIR /opt/moestro
COPY --from=packages /opt/moestro/node_modules node_modules
COPY package.json LICENSE ./
COPY bin bin
COPY proto proto
COPY worker/agent worker/agent
COPY coordinator coordinator
COPY data/validation data/validation
RUN ln -s /opt/moestro/bin/moestro.mjs /usr/local/bin/moestro \
 && groupadd --gid 10001 moestro \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/moestro moestro
ENV NODE_ENV=production NODE_COMPILE_CACHE=/tmp/node-compile-cache
USER 10001:10001
EXPOSE 7070 7071 9090
ENTRYPOINT ["moestro"]
CMD ["serve", "--listen=0.0.0.0:7070", "--http=0.0.0.0:9090"]
