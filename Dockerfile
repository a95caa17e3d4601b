# `packages-service serve` in a container: docker build --tag packages-service . && docker run --env-file FILE --publish
# 8080:8080 packages-service. The README has the variables. Mount a signing key from a file, readable by user 65532.
#
# There is no HEALTHCHECK, because the image has no other program. Use HTTP on port 8080: GET /packages/health to decide about a
# restart (ECS behind a load balancer: its target group; Kubernetes: livenessProbe.httpGet), GET /packages/ready to decide about
# traffic (readinessProbe.httpGet). After SIGTERM it finishes open requests within 30 seconds: allow 35.

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --package server && \
    cp target/release/packages-service /usr/local/bin/

# glibc, libgcc and the public certificate authorities. No shell and no package manager.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /usr/local/bin/packages-service /usr/local/bin/
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/packages-service"]
CMD ["serve"]
