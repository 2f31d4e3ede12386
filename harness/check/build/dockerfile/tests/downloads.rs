//! Architectures that are written down: compilers, targets, addresses.

use super::{BOTH, check_for, found, told, wanted};
use rstest::rstest;
use std::collections::BTreeMap;

const ARM64: &str = "fixed-architecture 2: linux/arm64, amd64";
const AMD64: &str = "fixed-architecture 2: linux/amd64, arm64";

#[rstest]
// Go.
#[case::goarch("RUN GOARCH=amd64 go build", &[ARM64])]
#[case::goarch_quoted("RUN CGO_ENABLED=0 GOOS=linux GOARCH=\"amd64\" go build", &[ARM64])]
#[case::goarch_exported("RUN export GOARCH=arm64 && go build", &[AMD64])]
#[case::goarch_of_go_env("RUN go env -w GOARCH=amd64; go build", &[ARM64])]
#[case::goarch_env("ENV GOARCH=amd64", &[ARM64])]
#[case::goarch_env_with_others("ENV CGO_ENABLED=0 GOOS=linux GOARCH=amd64", &[ARM64])]
#[case::goarch_old_env("ENV GOARCH amd64", &[ARM64])]
#[case::goarch_arg("ARG GOARCH=amd64", &[ARM64])]
#[case::goarch_in_a_heredoc("RUN <<E\nGOARCH=amd64 go build\nE", &[ARM64])]
#[case::goarch_by_arg("ARG TARGETARCH\nRUN GOARCH=$TARGETARCH go build", &[])]
#[case::goarch_by_env("ARG TARGETARCH\nENV GOARCH=$TARGETARCH", &[])]
#[case::goarch_computed("RUN GOARCH=$(dpkg --print-architecture) go build", &[])]
#[case::goarch_both("RUN GOARCH=amd64 go build -o a\nRUN GOARCH=arm64 go build -o b", &[])]
#[case::goarch_loop("RUN for a in amd64 arm64; do GOARCH=$a go build -o app-$a; done", &[])]
#[case::goarch_default_that_is_replaced("ARG GOARCH=amd64\nARG TARGETARCH\nRUN GOARCH=$TARGETARCH go build", &[])]
#[case::goarch_of_the_shell("RUN GOARCH=${GOARCH:-amd64} go build", &[])]
#[case::another_variable("ENV MYGOARCH=amd64", &[])]
// TARGETARCH with a default: it replaces what the builder sets.
#[case::targetarch_default("ARG TARGETARCH=amd64\nRUN GOARCH=$TARGETARCH go build", &[ARM64])]
#[case::targetplatform_default("ARG TARGETPLATFORM=linux/arm64\nRUN x $TARGETPLATFORM", &[AMD64])]
#[case::targetarch_without("ARG TARGETARCH\nRUN GOARCH=$TARGETARCH go build", &[])]
// Compilers and targets.
#[case::cc("RUN CC=aarch64-linux-gnu-gcc make", &[AMD64])]
#[case::cc_env("ENV CC=x86_64-linux-musl-gcc CXX=x86_64-linux-musl-g++", &[ARM64, ARM64])]
#[case::cc_plain("ENV CC=clang", &[])]
#[case::cc_of_one_target("ENV CC_aarch64_unknown_linux_gnu=aarch64-linux-gnu-gcc", &[])]
#[case::target("RUN cargo build --release --target x86_64-unknown-linux-musl", &[ARM64])]
#[case::target_with_equals("RUN cargo build --target=aarch64-unknown-linux-gnu", &[AMD64])]
#[case::cargo_build_target("ENV CARGO_BUILD_TARGET=x86_64-unknown-linux-musl", &[ARM64])]
#[case::target_is_installed_only("RUN rustup target add x86_64-unknown-linux-musl", &[])]
#[case::target_wasm("RUN cargo build --target wasm32-unknown-unknown", &[])]
#[case::target_directory("RUN pip install --target /opt/x x", &[])]
#[case::target_by_uname("RUN cargo build --target $(uname -m)-unknown-linux-musl", &[])]
#[case::target_of_configure("RUN ./configure --target=aarch64-linux-gnu", &[])]
#[case::wheels("RUN pip download --platform manylinux2014_x86_64 --only-binary=:all: x", &[ARM64])]
#[case::npm("RUN npm install --arch=x64 --platform=linux sharp", &[ARM64])]
#[case::build_args_of_docker("RUN docker buildx build --platform linux/amd64,linux/arm64 .", &[])]
// Addresses.
#[case::curl("RUN curl -fsSL https://example.org/v1/tool-linux-amd64.tar.gz | tar xz", &[ARM64])]
#[case::wget("RUN wget -q https://example.org/tool_Linux_x86_64.tgz -O /tmp/t", &[ARM64])]
#[case::add("ADD https://github.com/krallin/tini/releases/download/v0.19.0/tini-amd64 /tini", &[ARM64])]
#[case::add_with_checksum("ADD --checksum=sha256:abc https://example.org/tool-arm64 /tool", &[AMD64])]
#[case::add_variable("ENV V=1\nADD https://example.org/$V/tool-amd64 /tool", &["fixed-architecture 3: linux/arm64, amd64"])]
#[case::package("RUN dnf install -y https://example.org/tool-1.0-1.x86_64.rpm", &[ARM64])]
#[case::quoted("RUN curl -L \"https://example.org/${VERSION}/tool-linux-amd64\" > /tool", &[ARM64])]
#[case::arg_default("ARG ARCH=amd64\nRUN curl -LO https://example.org/tool-linux-${ARCH}", &["fixed-architecture 3: linux/arm64, amd64"])]
#[case::env_default("ENV S6=x86_64\nADD https://example.org/s6-overlay-$S6.tar.xz /tmp", &["fixed-architecture 3: linux/arm64, amd64"])]
#[case::by_arg("ARG TARGETARCH\nRUN curl -LO https://example.org/tool-linux-${TARGETARCH}", &[])]
#[case::add_by_arg("ARG TARGETARCH\nADD https://example.org/tool-linux-${TARGETARCH} /tool", &[])]
#[case::by_env("ARG TARGETARCH\nENV A=$TARGETARCH\nRUN curl -LO https://example.org/tool-linux-$A", &[])]
#[case::by_shell_variable("RUN curl -LO https://example.org/x86_64/tool-$ARCH", &[])]
#[case::by_dpkg("RUN a=$(dpkg --print-architecture) && curl -LO https://example.org/amd64/tool-$a", &[])]
#[case::by_uname("RUN [ $(uname -m) = aarch64 ] || curl -LO https://example.org/tool-amd64", &[])]
#[case::by_branch("RUN if [ \"$A\" = arm64 ]; then U=https://example.org/tool-arm64; else U=https://example.org/tool-amd64; fi; curl -LO $U", &[])]
#[case::both("RUN curl -LO https://example.org/tool-amd64 -LO https://example.org/tool-arm64", &[])]
#[case::each_its_own("ADD https://example.org/tool-amd64 /a\nADD https://example.org/tool-arm64 /b", &[])]
#[case::noarch("RUN dnf install -y https://example.org/epel-release-9.noarch.rpm", &[])]
#[case::vague("RUN curl -LO https://example.org/linux-x86/tool https://developer.arm.com/x", &[])]
#[case::number("RUN curl -LO https://example.org/issues/386/patch", &[])]
#[case::linux_386("RUN curl -LO https://example.org/tool_linux_386", &["fixed-architecture 2: linux/arm64, 386"])]
#[case::path("RUN cp -r /usr/lib/x86_64-linux-gnu /out", &[])]
#[case::another_system("RUN curl -LO https://example.org/tool-darwin-arm64.zip", &[])]
#[case::windows("RUN curl -LO https://example.org/tool-amd64.exe", &[])]
#[case::sources("RUN git clone https://github.com/example/x86_64-tools.git", &[])]
#[case::label("LABEL source=https://example.org/tool-amd64", &[])]
#[case::onbuild("ONBUILD RUN curl -LO https://example.org/tool-amd64", &[])]
fn one_architecture_is_found_and_a_choice_is_not(#[case] lines: &str, #[case] expected: &[&str]) {
    assert_eq!(found(&format!("FROM a\n{lines}\n"), BOTH), expected);
}

#[rstest]
#[case::that_one(&["linux/amd64"], "amd64", &[])]
#[case::other(&["linux/arm64"], "amd64", &["fixed-architecture 2: linux/arm64, amd64"])]
#[case::compatible(&["linux/amd64"], "386", &[])]
#[case::not_the_other_way(&["linux/386"], "amd64", &["fixed-architecture 2: linux/386, amd64"])]
#[case::several(&["linux/amd64", "linux/arm64", "linux/s390x", "linux/ppc64le"], "amd64", &["fixed-architecture 2: linux/arm64, linux/s390x and 1 more, amd64"])]
fn only_platforms_that_cannot_execute_it_are_told(
    #[case] platforms: &[&str],
    #[case] own: &str,
    #[case] expected: &[&str],
) {
    assert_eq!(found(&format!("FROM a\nRUN curl -LO https://example.org/tool-linux-{own}"), platforms), expected);
}

#[rstest]
#[case::tool("RUN curl -Lo /usr/bin/tool https://example.org/tool-linux-amd64 && tool", "COPY --from=b /app /app", &[])]
#[case::tool_for_another("RUN curl -Lo /usr/bin/tool https://example.org/tool-linux-arm64", "COPY --from=b /app /app", &[])]
#[case::copied("RUN curl -Lo /app https://example.org/tool-linux-amd64", "COPY --from=b /app /app", &["fixed-architecture 2: linux/arm64, amd64"])]
#[case::copied_with_its_directory("RUN wget -qO /out/app https://example.org/tool-linux-amd64", "COPY --from=b /out /", &["fixed-architecture 2: linux/arm64, amd64"])]
#[case::copied_under_its_name("RUN curl -LO https://example.org/tool-linux-amd64", "COPY --from=b /tool-linux-amd64 /app", &["fixed-architecture 2: linux/arm64, amd64"])]
#[case::added("ADD https://example.org/tool-linux-amd64 /x/", "COPY --from=b /x/tool-linux-amd64 /app", &["fixed-architecture 2: linux/arm64, amd64"])]
#[case::goarch("RUN GOARCH=amd64 go build -o /app", "COPY --from=b /app /app", &["fixed-architecture 2: linux/arm64, amd64"])]
#[case::not_needed("RUN GOARCH=amd64 go build -o /app", "COPY app /app", &[])]
fn in_a_stage_of_the_build_machine(#[case] lines: &str, #[case] copy: &str, #[case] expected: &[&str]) {
    let text = format!("FROM --platform=$BUILDPLATFORM a AS b\n{lines}\nFROM c\n{copy}\n");
    assert_eq!(found(&text, BOTH), expected);
}

#[test]
fn a_stage_for_each_architecture_is_right() {
    let text = "FROM a AS get-amd64\nADD https://example.org/tool-amd64 /tool\nFROM a AS get-arm64\nADD https://example.org/tool-arm64 /tool\nFROM get-$TARGETARCH\n";
    assert_eq!(found(text, BOTH), Vec::<String>::new());
    let mixed_up = text.replacen("tool-arm64", "tool-amd64", 1);
    assert_eq!(found(&mixed_up, BOTH), ["fixed-architecture 4: linux/arm64, amd64"]);
}

#[test]
fn what_was_typed_is_meant() {
    let mut wanted = wanted(BOTH);
    wanted.build_args = BTreeMap::from([("GOARCH".to_owned(), "amd64".to_owned())]);
    assert_eq!(told(&check_for("FROM a\nARG GOARCH=arm64", &wanted)), Vec::<String>::new());
}

#[test]
fn a_global_default_of_targetarch_is_found() {
    assert_eq!(found("ARG TARGETARCH=amd64\nFROM a-$TARGETARCH", BOTH), ["fixed-architecture 1: linux/arm64, amd64"]);
}

#[rstest]
#[case(
    "RUN GOARCH=amd64 go build",
    "`GOARCH=amd64` builds for amd64 also where linux/arm64 is built",
    "GOARCH=$TARGETARCH"
)]
#[case(
    "ADD https://example.org/t-amd64 /t",
    "it downloads what is for amd64 also where linux/arm64 is built: https://example.org/t-amd64",
    "${TARGETARCH} in place of amd64"
)]
#[case(
    "ARG TARGETARCH=amd64\nRUN echo $TARGETARCH",
    "`ARG TARGETARCH=amd64` replaces what is built for: linux/arm64 is built as amd64",
    "write `ARG TARGETARCH` without a value"
)]
#[case(
    "RUN cargo build --target x86_64-unknown-linux-musl",
    "`--target x86_64-unknown-linux-musl` builds for amd64",
    "case $TARGETARCH in"
)]
fn it_says_what_and_the_next_step(#[case] lines: &str, #[case] message: &str, #[case] hint: &str) {
    let checked = check_for(&format!("FROM a\n{lines}"), &wanted(BOTH));
    let finding = &checked.findings[0];
    assert!(finding.message.starts_with(message), "{}", finding.message);
    assert!(finding.hint.contains(hint), "{}", finding.hint);
    assert_eq!(finding.path.as_deref(), Some("Dockerfile:2"));
    assert!(lines.starts_with(finding.instruction.as_deref().unwrap()));
}
