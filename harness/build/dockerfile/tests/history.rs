//! From a config's history back to the line.

use super::parsed;
use crate::build::dockerfile::*;
use crate::platform::Platform;
use rstest::rstest;
use std::collections::BTreeMap;

const APP: &str = "\
# syntax=docker/dockerfile:1
FROM golang AS build
RUN make tool
COPY src /src
FROM debian
ARG TARGETARCH
RUN apt-get update && \\
    apt-get install -y curl
RUN make
RUN sh -c make
RUN [\"/bin/strip\", \"/usr/bin/app\"]
COPY --from=build --chmod=755 app-$TARGETARCH /usr/bin/app
COPY [\"a b\", \"/x/\"]
ADD https://example.org/${TARGETARCH:-x}/tool.tgz /opt
WORKDIR /srv
WORKDIR data
COPY . .
RUN <<EOF
echo one
echo two
EOF
RUN <<SCRIPT
#!/usr/bin/env python3
print(1)
SCRIPT
RUN python3 <<PY > /tmp/x
print(2)
PY
COPY <<-\"conf\" /etc/app.conf
	x=1
	conf
ENV A=\"x y\" B=$TARGETARCH
USER app
CMD [\"app\", \"--serve\"]
ENTRYPOINT exec app
";

fn line_of(text: &str, created_by: &str) -> Option<usize> {
    let (platform, build_args) = (Platform::parse("linux/arm64").unwrap(), BTreeMap::new());
    let scope = Scope { target: &platform, build: &platform, build_args: &build_args };
    parsed(text).built(None, &scope).unwrap().line_of(created_by)
}

#[rstest]
#[case::run("RUN /bin/sh -c make # buildkit", Some(9))]
#[case::args("RUN |1 TARGETARCH=arm64 /bin/sh -c make # buildkit", Some(9))]
#[case::args_with_spaces("RUN |2 X=a b TARGETARCH=arm64 /bin/sh -c make # buildkit", Some(9))]
#[case::shell_in_shell("RUN /bin/sh -c sh -c make # buildkit", Some(10))]
#[case::bash("RUN /bin/bash -o pipefail -c make # buildkit", Some(9))]
#[case::continued(
    "RUN |1 TARGETARCH=arm64 /bin/sh -c apt-get update &&     apt-get install -y curl # buildkit",
    Some(7)
)]
#[case::readable("RUN /bin/sh -c make", Some(9))]
#[case::exec("RUN /bin/strip /usr/bin/app # buildkit", Some(11))]
#[case::exec_with_args("RUN |1 TARGETARCH=arm64 /bin/strip /usr/bin/app # buildkit", Some(11))]
#[case::of_another_stage("RUN /bin/sh -c make tool # buildkit", None)]
#[case::longer("RUN /bin/sh -c cd x && make # buildkit", None)]
#[case::longer_after("RUN /bin/sh -c make all # buildkit", None)]
#[case::no_shell("RUN make # buildkit", None)]
#[case::of_a_base("RUN /bin/sh -c apt-get upgrade # buildkit", None)]
#[case::heredoc("RUN /bin/sh -c echo one\necho two\n # buildkit", Some(18))]
#[case::own_script("RUN /bin/sh -c /dev/pipes/SCRIPT # buildkit", Some(22))]
#[case::heredoc_of_a_program("RUN /bin/sh -c python3 <<PY > /tmp/x\nprint(2)\nPY # buildkit", Some(26))]
#[case::copy("COPY --chmod=755 app-arm64 /usr/bin/app # buildkit", Some(12))]
#[case::copy_of_something_else("COPY --chmod=755 app-arm64 /usr/bin/app2 # buildkit", None)]
#[case::copy_json("COPY a b /x/ # buildkit", Some(13))]
#[case::copy_all("COPY . . # buildkit", Some(17))]
#[case::copy_of_another_stage("COPY src /src # buildkit", None)]
#[case::copy_heredoc("COPY <<conf /etc/app.conf # buildkit", Some(29))]
#[case::add("ADD https://example.org/arm64/tool.tgz /opt # buildkit", Some(14))]
#[case::workdir("WORKDIR /srv", Some(15))]
#[case::workdir_below("WORKDIR /srv/data", Some(16))]
#[case::env("ENV A=x y B=arm64", Some(32))]
#[case::arg("ARG TARGETARCH=arm64", Some(6))]
#[case::user("USER app", Some(33))]
#[case::cmd("CMD [\"app\" \"--serve\"]", Some(34))]
#[case::entrypoint("ENTRYPOINT [\"/bin/sh\" \"-c\" \"exec app\"]", Some(35))]
#[case::other_cmd("CMD [\"bash\"]", None)]
#[case::classic_run("/bin/sh -c make", Some(9))]
#[case::classic_args("|1 TARGETARCH=arm64 /bin/sh -c make", Some(9))]
#[case::classic_copy("/bin/sh -c #(nop) COPY file:8e1f in /usr/bin/app ", Some(12))]
#[case::classic_copy_of_something_else("/bin/sh -c #(nop) COPY dir:8e1f in /usr/bin ", None)]
#[case::classic_cmd("/bin/sh -c #(nop)  CMD [\"app\" \"--serve\"]", Some(34))]
#[case::debuerreotype("# debian.sh --arch 'arm64' out/ 'trixie' '@1'", None)]
#[case::classic_base("/bin/sh -c #(nop) ADD file:8e1f in / ", None)]
#[case::empty("", None)]
#[case::keyword("RUN", None)]
#[case::kind_alone("EXPOSE map[80/tcp:{}]", None)]
fn an_entry_is_found_in_its_line(#[case] created_by: &str, #[case] wanted: Option<usize>) {
    assert_eq!(line_of(APP, created_by), wanted);
}

#[rstest]
#[case::twice("FROM a\nRUN make\nUSER x\nRUN make", "RUN /bin/sh -c make # buildkit", None)]
#[case::by_platform("FROM a\nCOPY $A /x\nCOPY b /x", "COPY b /x # buildkit", None)]
#[case::same_destination("FROM a\nCOPY a /x\nCOPY b /x", "/bin/sh -c #(nop) COPY file:12 in /x ", None)]
#[case::base_stage("FROM a AS b\nRUN make\nFROM b\nRUN true", "RUN /bin/sh -c make # buildkit", Some(2))]
#[case::onbuild("FROM a AS b\nONBUILD RUN make\nFROM b\nRUN true", "RUN /bin/sh -c make # buildkit", Some(2))]
#[case::own_onbuild("FROM a\nONBUILD RUN make", "RUN /bin/sh -c make # buildkit", None)]
#[case::escape("# escape=`\nFROM a\nRUN x `\n  y", "RUN cmd /S /C x   y # buildkit", Some(3))]
fn none_is_named_in_doubt(#[case] text: &str, #[case] created_by: &str, #[case] wanted: Option<usize>) {
    assert_eq!(line_of(text, created_by), wanted);
}

#[test]
fn an_instruction_that_was_cut_is_found() {
    let long: String = (0..2000).map(|number| format!("step{number} ")).collect();
    let text = format!("FROM a\nRUN {long}\nRUN {long} && more");
    let whole = format!("RUN /bin/sh -c {} && more", long.trim());
    assert_eq!(line_of(&text, &whole), Some(3));
    assert_eq!(line_of(&text, &whole[..4096]), None, "both begin so");
    assert_eq!(line_of(&format!("FROM a\nRUN {long}"), &whole[..4096]), Some(2));
}

fn lines_of(text: &str, history: &[&str]) -> Vec<Option<usize>> {
    let (platform, build_args) = (Platform::parse("linux/arm64").unwrap(), BTreeMap::new());
    let scope = Scope { target: &platform, build: &platform, build_args: &build_args };
    parsed(text).built(None, &scope).unwrap().lines_of(history)
}

#[test]
fn a_whole_history_tells_the_base_image_from_the_file() {
    let text = "FROM a\nARG X\nRUN make\nEXPOSE 80\nRUN make\nCMD [\"x\"]";
    let run = "RUN |1 X=1 /bin/sh -c make # buildkit";
    let own = ["ARG X=1", run, "EXPOSE map[80/tcp:{}]", run, "CMD [\"x\"]"];
    let base = ["RUN /bin/sh -c make # buildkit", "CMD [\"bash\"]"];
    let all: Vec<&str> = base.iter().chain(&own).copied().collect();
    assert_eq!(lines_of(text, &all), [None, None, Some(2), Some(3), Some(4), Some(5), Some(6)]);
    assert_eq!(lines_of(text, &own), [Some(2), Some(3), Some(4), Some(5), Some(6)]);
    // Where they are not these instructions, each is looked for alone.
    let squashed = ["RUN /bin/sh -c make # buildkit", "CMD [\"x\"]"];
    assert_eq!(lines_of(text, &squashed), [None, Some(6)]);
    assert_eq!(lines_of(text, &[]), []);
}
