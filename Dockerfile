# `packages-service serve` in a container: docker build --tag packages-service . && docker run --env-file FILE --publish
# 8080:8080 packages-service. docs/configuration.md has the variables. Mount a signing key from a file, readable by user 65532.
# Base images are pinned by the digests of their multi-platform indexes; Dependabot proposes newer ones.
#
# There is no HEALTHCHECK, because the image has no other program. Use HTTP on port 8080: GET /packages/health to decide about a
# restart (ECS behind a load balancer: its target group; Kubernetes: livenessProbe.httpGet), GET /packages/ready to decide about
# traffic (readinessProbe.httpGet). After SIGTERM it finishes open requests within 30 seconds: allow 35.

FROM rust:1.95.0-bookworm@sha256:6258907abe69656e41cd992e0b705cdcfabcbbe3db374f92ed2d47121282d4a1 AS base
WORKDIR /src

# The web app. Node.js is the pinned one of scripts/node-requirements.txt: Debian's is too old, and no further image is needed.
FROM base AS console
# hadolint ignore=DL3008 # pip only fetches a file with a pinned hash
RUN apt-get update && apt-get install --yes --no-install-recommends python3-pip && rm -rf /var/lib/apt/lists/*
COPY console console
COPY scripts scripts
RUN --mount=type=cache,target=/root/.npm scripts/console

FROM base AS build
COPY . .
COPY --from=console /src/console/dist console/dist
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --package server --no-default-features && \
    cp target/release/packages-service /usr/local/bin/

# glibc, libgcc and the public certificate authorities. No shell and no package manager.
FROM gcr.io/distroless/cc-debian12:nonroot@sha256:9dac0a79194e45a7da0158a9c6da57b217585af0786db3845d1f0ec1a0dd182f
COPY --from=build /usr/local/bin/packages-service /usr/local/bin/
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/packages-service"]
CMD ["serve"]
