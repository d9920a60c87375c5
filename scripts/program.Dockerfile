# Builds splitbase where there is no Rust: a static binary, for the machine that the builder runs on. See scripts/program.
ARG DEBIAN=debian:forky-slim
FROM ${DEBIAN} AS build
RUN --mount=type=secret,id=apt \
    export DEBIAN_FRONTEND=noninteractive \
 && if [ -e /run/secrets/apt ]; then export APT_CONFIG=/run/secrets/apt; fi \
 && apt-get -q update \
 && apt-get -q install -y --no-install-recommends ca-certificates gcc libc6-dev rustup
RUN --mount=type=secret,id=ca \
    if [ -e /run/secrets/ca ]; then export SSL_CERT_FILE=/run/secrets/ca; fi \
 && rustup toolchain install stable --profile minimal --target "$(uname -m)-unknown-linux-musl"
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY src src
# Compiled for a try-out, not for speed: without link-time optimisation, which takes half of a release build.
ENV CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
# The C compiler is Debian's for glibc: of C there is the assembler of the cryptography alone, and fortified functions are glibc's own.
RUN --mount=type=secret,id=ca --mount=type=cache,target=/root/.cargo/registry --mount=type=cache,target=/target \
    if [ -e /run/secrets/ca ]; then export SSL_CERT_FILE=/run/secrets/ca CARGO_HTTP_CAINFO=/run/secrets/ca; fi \
 && target="$(uname -m)-unknown-linux-musl" \
 && export "CC_$(echo "$target" | tr - _)=gcc" "CFLAGS_$(echo "$target" | tr - _)=-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=0" \
 && cargo build --release --locked --bin splitbase --target "$target" --target-dir /target \
 && cp "/target/$target/release/splitbase" /splitbase

FROM scratch
COPY --from=build /splitbase /splitbase
