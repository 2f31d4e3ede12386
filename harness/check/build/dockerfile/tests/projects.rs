//! Whole Dockerfiles in the shapes that projects give them: silent as they are, and found with one line changed.

use super::found;
use rstest::rstest;

const GO: &str = r#"# syntax=docker/dockerfile:1
ARG GO_VERSION=1.25
FROM --platform=$BUILDPLATFORM golang:${GO_VERSION}-alpine AS build
WORKDIR /src
RUN apk add --no-cache git ca-certificates
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG TARGETOS
ARG TARGETARCH
RUN --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -o /out/app ./cmd/app

FROM gcr.io/distroless/static:nonroot
COPY --from=build /out/app /usr/local/bin/app
USER nonroot
ENTRYPOINT ["/usr/local/bin/app"]
"#;

const GO_EMULATED: &str = r#"FROM golang:1.25 AS builder
WORKDIR /src
COPY . .
RUN CGO_ENABLED=1 go build -o /app .
FROM debian:trixie-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/*
COPY --from=builder /app /app
CMD ["/app"]
"#;

const GO_VARIANT: &str = r#"FROM --platform=$BUILDPLATFORM golang AS build
ARG TARGETOS TARGETARCH TARGETVARIANT
ENV CGO_ENABLED=0
RUN GOARM=$(echo ${TARGETVARIANT} | cut -c2) GOOS=${TARGETOS} GOARCH=${TARGETARCH} go build -o /app
FROM scratch
COPY --from=build /app /
"#;

const XX_GO: &str = r#"FROM --platform=$BUILDPLATFORM tonistiigi/xx:1.6.1 AS xx
FROM --platform=$BUILDPLATFORM golang:alpine AS build
RUN apk add clang lld
COPY --from=xx / /
ARG TARGETPLATFORM
RUN xx-apk add musl-dev gcc
RUN --mount=target=. xx-go build -o /out/hello ./hello.go && xx-verify /out/hello
FROM alpine
COPY --from=build /out/hello /usr/bin/
"#;

const XX_RUST: &str = r#"FROM --platform=$BUILDPLATFORM tonistiigi/xx AS xx
FROM --platform=$BUILDPLATFORM rust:alpine AS build
COPY --from=xx / /
RUN apk add clang lld
ARG TARGETPLATFORM
RUN xx-cargo build --release --target-dir ./build && \
    xx-verify ./build/$(xx-cargo --print-target-triple)/release/hello_cargo
FROM scratch
COPY --from=build /build /
"#;

const RUST_CASE: &str = r#"FROM --platform=$BUILDPLATFORM rust:1.90 AS build
ARG TARGETARCH
RUN case "$TARGETARCH" in \
      amd64) echo x86_64-unknown-linux-musl > /target ;; \
      arm64) echo aarch64-unknown-linux-musl > /target; apt-get update; apt-get install -y gcc-aarch64-linux-gnu ;; \
      *) exit 1 ;; \
    esac && rustup target add "$(cat /target)"
COPY . .
RUN cargo build --release --target "$(cat /target)" && cp target/*/release/app /app
FROM scratch
COPY --from=build /app /app
"#;

const NODE: &str = r#"FROM --platform=$BUILDPLATFORM node:24 AS web
WORKDIR /web
COPY package*.json ./
RUN npm ci
COPY . .
RUN npm run build

FROM node:24-slim
WORKDIR /app
ENV NODE_ENV=production
COPY package*.json ./
RUN npm ci --omit=dev
COPY --from=web /web/dist ./dist
EXPOSE 3000
HEALTHCHECK CMD curl -f http://localhost:3000/ || exit 1
CMD ["node", "dist/main.js"]
"#;

const PYTHON_CASE: &str = r#"FROM python:3.13-slim AS base
ARG TARGETARCH
ENV PYTHONUNBUFFERED=1
RUN set -eux; \
    case "${TARGETARCH}" in \
      amd64) url='https://example.org/tool/v2/tool-linux-x86_64.tar.gz' ;; \
      arm64) url='https://example.org/tool/v2/tool-linux-aarch64.tar.gz' ;; \
      *) echo >&2 "unsupported architecture: ${TARGETARCH}"; exit 1 ;; \
    esac; \
    python -c "import urllib.request as r; r.urlretrieve('$url', '/tmp/t')" && tar -C /usr/local -xzf /tmp/t
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY . .
CMD ["python", "-m", "app"]
"#;

const DEBIAN_DPKG: &str = r#"FROM debian:bookworm-slim
ENV GOSU_VERSION 1.17
RUN set -eux; \
	savedAptMark="$(apt-mark showmanual)"; \
	apt-get update; \
	apt-get install -y --no-install-recommends ca-certificates gnupg wget; \
	rm -rf /var/lib/apt/lists/*; \
	dpkgArch="$(dpkg --print-architecture | awk -F- '{ print $NF }')"; \
	wget -O /usr/local/bin/gosu "https://github.com/tianon/gosu/releases/download/$GOSU_VERSION/gosu-$dpkgArch"; \
	chmod +x /usr/local/bin/gosu; \
	gosu --version
ENTRYPOINT ["gosu", "nobody"]
"#;

const TINI_UNAME: &str = r#"FROM ubuntu:24.04
ENV TINI_VERSION=v0.19.0
RUN apt-get update && apt-get install -y curl && \
    ARCH="$(uname -m | sed -e 's/x86_64/amd64/' -e 's/aarch64/arm64/')" && \
    curl -fsSL -o /tini "https://github.com/krallin/tini/releases/download/${TINI_VERSION}/tini-${ARCH}" && \
    chmod +x /tini
ENTRYPOINT ["/tini", "--"]
"#;

const TINI_ADD: &str = r#"FROM ubuntu:24.04
ARG TINI_VERSION=v0.19.0
ARG TARGETARCH
ADD --chmod=755 https://github.com/krallin/tini/releases/download/${TINI_VERSION}/tini-${TARGETARCH} /tini
ENTRYPOINT ["/tini", "--"]
"#;

const ADD_CHECKSUM: &str = r#"FROM alpine:3.22 AS get-amd64
ADD --checksum=sha256:24712f6b9a9e1c80 https://example.org/dl/kubectl-linux-amd64 /kubectl
FROM alpine:3.22 AS get-arm64
ADD --checksum=sha256:7bd7e6b1a2d34f55 https://example.org/dl/kubectl-linux-arm64 /kubectl
FROM get-${TARGETARCH} AS get
FROM alpine:3.22
COPY --from=get --chmod=0755 /kubectl /usr/local/bin/kubectl
"#;

const HEREDOCS: &str = r#"# syntax=docker/dockerfile:1
FROM alpine:3.22
ARG TARGETARCH
RUN <<EOF
set -e
apk add --no-cache curl
case $TARGETARCH in
  amd64) arch=x86_64 ;;
  arm64) arch=aarch64 ;;
esac
curl -fsSLo /usr/bin/tool https://example.org/tool-linux-$arch
chmod +x /usr/bin/tool
EOF
COPY <<-"conf" /etc/tool.conf
	url = https://example.org/tool-linux-x86_64
	conf
CMD ["tool"]
"#;

const S6: &str = r#"FROM alpine:3.22 AS rootfs-stage
ARG S6_VERSION=3.2.1.0
RUN apk add --no-cache xz && S6_ARCH=$(apk --print-arch) && \
    wget -q https://github.com/just-containers/s6-overlay/releases/download/v${S6_VERSION}/s6-overlay-${S6_ARCH}.tar.xz && \
    tar -C / -Jxpf s6-overlay-${S6_ARCH}.tar.xz
FROM rootfs-stage
ENTRYPOINT ["/init"]
"#;

const CROSS_GCC: &str = r#"FROM --platform=$BUILDPLATFORM debian:trixie AS build
RUN dpkg --add-architecture arm64 && apt-get update && apt-get install -y gcc gcc-aarch64-linux-gnu make
ARG TARGETARCH
COPY . /src
WORKDIR /src
RUN if [ "$TARGETARCH" = "arm64" ]; then export CC=aarch64-linux-gnu-gcc; fi; make && cp app /app
FROM debian:trixie-slim
COPY --from=build /app /usr/bin/app
"#;

const ALL_BINARIES: &str = r#"FROM --platform=$BUILDPLATFORM golang:1.25 AS build
COPY . .
RUN GOOS=linux GOARCH=amd64 go build -o /out/app-amd64
RUN GOOS=linux GOARCH=arm64 go build -o /out/app-arm64
FROM scratch
ARG TARGETARCH
COPY --from=build /out/app-$TARGETARCH /app
"#;

const PREBUILT: &str = r#"FROM gcr.io/distroless/base
ARG TARGETPLATFORM
COPY $TARGETPLATFORM/app /app
ENTRYPOINT ["/app"]
"#;

const ONBUILD: &str = r#"FROM golang:1.25 AS onbuild
ONBUILD ARG TARGETARCH
ONBUILD COPY . .
ONBUILD RUN GOARCH=$TARGETARCH go build -o /app
FROM onbuild AS build
FROM scratch
COPY --from=build /app /app
"#;

const CODE_GENERATION: &str = r#"FROM --platform=$BUILDPLATFORM golang:1.25 AS build
ARG PROTOC=29.3
RUN curl -fsSLo /tmp/p.zip https://github.com/protocolbuffers/protobuf/releases/download/v${PROTOC}/protoc-${PROTOC}-linux-x86_64.zip && unzip /tmp/p.zip -d /usr/local
COPY . .
ARG TARGETARCH
RUN go generate ./... && GOARCH=$TARGETARCH go build -o /app
FROM scratch
COPY --from=build /app /app
"#;

const DOTNET: &str = r#"FROM --platform=$BUILDPLATFORM mcr.microsoft.com/dotnet/sdk:10.0 AS build
ARG TARGETARCH
WORKDIR /source
COPY . .
RUN dotnet restore -a $TARGETARCH
RUN dotnet publish -a $TARGETARCH --no-restore -o /app
FROM mcr.microsoft.com/dotnet/aspnet:10.0
COPY --from=build /app /app
"#;

const JAVA: &str = r#"FROM --platform=$BUILDPLATFORM maven:3-eclipse-temurin-21 AS build
COPY . .
RUN --mount=type=cache,target=/root/.m2 mvn -B package
FROM eclipse-temurin:21-jre
COPY --from=build /target/app.jar /app.jar
CMD ["java", "-jar", "/app.jar"]
"#;

const BACKTICK: &str = "# escape=`\nFROM mcr.microsoft.com/windows/nanoserver:ltsc2022\nCOPY app.exe C:\\`\n  app\nRUN dir C:\\\nCMD [\"C:\\\\app\\\\app.exe\"]\n";

/// As it is, and with one text replaced by another, and what is then found.
#[rstest]
#[case::go(GO, "FROM gcr.io", "FROM --platform=$BUILDPLATFORM gcr.io", "pinned-stage 14: linux/arm64, linux/amd64")]
#[case::go_arch(GO, "GOARCH=$TARGETARCH", "GOARCH=amd64", "fixed-architecture 11: linux/arm64, amd64")]
#[case::go_unused(GO, "GOOS=$TARGETOS GOARCH=$TARGETARCH", "GOOS=linux", "unused-targetarch 10")]
#[case::go_emulated(
    GO_EMULATED,
    "CGO_ENABLED=1 go",
    "CGO_ENABLED=1 GOARCH=amd64 go",
    "fixed-architecture 4: linux/arm64, amd64"
)]
#[case::go_constant(
    GO_EMULATED,
    "FROM debian",
    "FROM --platform=linux/amd64 debian",
    "pinned-stage 5: linux/arm64, linux/amd64"
)]
#[case::go_variant(GO_VARIANT, "ENV CGO_ENABLED=0", "ENV CGO_ENABLED=0 GOARCH=amd64", "")]
#[case::xx_go(
    XX_GO,
    "FROM alpine\n",
    "FROM --platform=${BUILDPLATFORM} alpine\n",
    "pinned-stage 8: linux/arm64, linux/amd64"
)]
#[case::xx_rust(XX_RUST, "FROM scratch", "FROM build", "pinned-stage 2: linux/arm64, linux/amd64")]
#[case::rust(
    RUST_CASE,
    "\"$(cat /target)\" && cp",
    "x86_64-unknown-linux-musl && cp",
    "fixed-architecture 9: linux/arm64, amd64"
)]
#[case::rust_default(RUST_CASE, "ARG TARGETARCH", "ARG TARGETARCH=amd64", "fixed-architecture 2: linux/arm64, amd64")]
#[case::node(NODE, "FROM node:24-slim", "FROM web", "pinned-stage 1: linux/arm64, linux/amd64")]
#[case::node_arch(NODE, "--omit=dev", "--omit=dev --arch=x64", "fixed-architecture 12: linux/arm64, amd64")]
#[case::python(
    PYTHON_CASE,
    "RUN pip",
    "ADD https://example.org/t/tool-linux-aarch64 /t\nRUN pip",
    "fixed-architecture 12: linux/amd64, arm64"
)]
#[case::python_wheels(
    PYTHON_CASE,
    "install --no",
    "install --platform=manylinux_2_28_x86_64 --no",
    "fixed-architecture 12: linux/arm64, amd64"
)]
#[case::debian(
    DEBIAN_DPKG,
    "dpkgArch=\"$(dpkg --print-architecture | awk -F- '{ print $NF }')\"",
    "dpkgArch=amd64; curl https://example.org/amd64/x",
    "fixed-architecture 3: linux/arm64, amd64"
)]
#[case::tini(
    TINI_UNAME,
    "ENTRYPOINT",
    "ADD https://example.org/tini-static-amd64 /t\nENTRYPOINT",
    "fixed-architecture 7: linux/arm64, amd64"
)]
#[case::tini_add(
    TINI_ADD,
    "tini-${TARGETARCH}",
    "tini-amd64",
    "fixed-architecture 4: linux/arm64, amd64+unused-targetarch 3"
)]
#[case::tini_arg(TINI_ADD, "ARG TARGETARCH", "ARG TARGETARCH=amd64", "fixed-architecture 3: linux/arm64, amd64")]
#[case::checksum(
    ADD_CHECKSUM,
    "FROM get-${TARGETARCH} AS",
    "FROM get-amd64 AS",
    "fixed-architecture 2: linux/arm64, amd64"
)]
#[case::heredocs(
    HEREDOCS,
    "case $TARGETARCH in\n  amd64) arch=x86_64 ;;\n  arm64) arch=aarch64 ;;\nesac\n",
    "arch=x86_64; curl -LO https://example.org/x86_64/tool.asc\n",
    "fixed-architecture 4: linux/arm64, amd64+unused-targetarch 3"
)]
#[case::s6(
    S6,
    "$(apk --print-arch)",
    "x86_64; wget https://example.org/x86_64.sha256",
    "fixed-architecture 3: linux/arm64, amd64"
)]
#[case::cross(
    CROSS_GCC,
    "if [ \"$TARGETARCH\" = \"arm64\" ]; then export CC=aarch64-linux-gnu-gcc; fi; make",
    "CC=aarch64-linux-gnu-gcc make",
    "fixed-architecture 6: linux/amd64, arm64"
)]
#[case::binaries(
    ALL_BINARIES,
    "RUN GOOS=linux GOARCH=arm64 go build -o /out/app-arm64\n",
    "",
    "fixed-architecture 3: linux/arm64, amd64"
)]
#[case::prebuilt(PREBUILT, "$TARGETPLATFORM/app /app", "app /app", "unused-targetarch 2")]
#[case::onbuild(
    ONBUILD,
    "FROM scratch",
    "FROM --platform=linux/arm64 debian",
    "pinned-stage 6: linux/amd64, linux/arm64"
)]
#[case::generation(
    CODE_GENERATION,
    "--from=build /app /app",
    "--from=build /app /tmp/p.zip /",
    "fixed-architecture 3: linux/arm64, amd64"
)]
#[case::dotnet(
    DOTNET,
    "FROM mcr.microsoft.com/dotnet/aspnet",
    "FROM --platform=$BUILDPLATFORM mcr.microsoft.com/dotnet/aspnet",
    "pinned-stage 7: linux/arm64, linux/amd64"
)]
#[case::java(JAVA, "FROM eclipse", "FROM --platform=linux/amd64 eclipse", "pinned-stage 4: linux/arm64, linux/amd64")]
#[case::backtick(BACKTICK, "FROM mcr", "FROM --platform=linux/amd64 mcr", "pinned-stage 2: linux/arm64, linux/amd64")]
fn a_project_is_silent_and_its_broken_twin_is_found(
    #[case] text: &str,
    #[case] old: &str,
    #[case] new: &str,
    #[case] expected: &str,
) {
    let both = &["linux/amd64", "linux/arm64"];
    assert_eq!(found(text, both), Vec::<String>::new());
    assert!(text.contains(old));
    let broken = found(&text.replacen(old, new, 1), both);
    assert_eq!(broken.join("+"), expected);
}
