# `packages-service serve` in a container: docker build --tag packages-service . && docker run --env-file FILE --publish
# 8080:8080 packages-service. docs/configuration.md has the variables; a signing key in a file is mounted, readable by user
# 65532. Base images are pinned by the digests of their multi-platform indexes; Dependabot proposes newer ones.
#
# There is no HEALTHCHECK, for there is nothing in the image to run but the service. Whoever runs it asks by HTTP, on port
# 8080: GET /packages/health whether to restart it (ECS behind a load balancer: its target group; Kubernetes:
# livenessProbe.httpGet), GET /packages/ready whether to send it requests (readinessProbe.httpGet). SIGTERM stops it when
# what is under way is answered, within 30 seconds: grant it 35.

FROM rust:1.95.0-bookworm@sha256:6258907abe69656e41cd992e0b705cdcfabcbbe3db374f92ed2d47121282d4a1 AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --package server --no-default-features && \
    cp target/release/packages-service /usr/local/bin/

# glibc, libgcc and the public certificate authorities; no shell, no package manager.
FROM gcr.io/distroless/cc-debian12:nonroot@sha256:9dac0a79194e45a7da0158a9c6da57b217585af0786db3845d1f0ec1a0dd182f
COPY --from=build /usr/local/bin/packages-service /usr/local/bin/
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/packages-service"]
CMD ["serve"]
