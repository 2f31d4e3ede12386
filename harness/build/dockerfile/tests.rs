//! What is read, and where it stands. Where not said otherwise, BuildKit's own tests and documentation are the source.

mod history;
mod hostile;
mod variables;

use super::*;
use rstest::rstest;

pub(super) fn parsed(text: &str) -> Dockerfile {
    Dockerfile::parse(text.as_bytes()).unwrap()
}

/// The variables after the last instruction of the result.
pub(super) fn variables_after(built: &Built<'_>, scope: &Scope<'_>) -> Variables {
    let mut variables = Variables::default();
    let stages = built.chain.iter().rev().map(|&index| &built.dockerfile.stages[index]);
    for instruction in stages.flat_map(|stage| &stage.instructions) {
        built.dockerfile.apply(instruction, scope, &built.globals, &mut variables);
    }
    variables
}

/// The instructions of all stages, each as `first-last KEYWORD arguments`.
fn outline(text: &str) -> Vec<String> {
    let dockerfile = parsed(text);
    let told = |i: &Instruction| format!("{}-{} {} {}", i.first, i.last, i.keyword, i.arguments);
    let stages = dockerfile.stages.iter();
    let all = stages.flat_map(|stage| std::iter::once(&stage.from).chain(&stage.instructions));
    dockerfile.globals.iter().chain(all).map(told).collect()
}

#[rstest]
#[case::plain("FROM a\nRUN make\n", &["1-1 FROM a", "2-2 RUN make"])]
#[case::any_case("from a\nrUn make", &["1-1 FROM a", "2-2 RUN make"])]
#[case::windows("FROM a\r\nRUN make \\\r\n  all\r\n", &["1-1 FROM a", "2-3 RUN make   all"])]
#[case::mark("\u{feff}FROM a\n", &["1-1 FROM a"])]
#[case::comments("# x\n\n  # y\nFROM a\n#RUN no\nRUN make\n", &["4-4 FROM a", "6-6 RUN make"])]
#[case::indented("  FROM a\n\tRUN make", &["1-1 FROM a", "2-2 RUN make"])]
#[case::continued("FROM a\nRUN x && \\\n    y\nRUN z", &["1-1 FROM a", "2-3 RUN x &&     y", "4-4 RUN z"])]
#[case::comment_between("FROM a\nRUN x && \\\n  # why\n\n  y\nRUN z", &["1-1 FROM a", "2-5 RUN x &&   y", "6-6 RUN z"])]
#[case::blanks_after("FROM a\nRUN x \\ \t\n  y", &["1-1 FROM a", "2-3 RUN x   y"])]
#[case::doubled_escape("FROM a\nRUN echo \\\\\nRUN y", &["1-1 FROM a", "2-2 RUN echo \\\\", "3-3 RUN y"])]
#[case::end_in_a_continuation("FROM a\nRUN x \\", &["1-1 FROM a", "2-2 RUN x"])]
#[case::escape("# escape=`\nFROM a\nRUN x `\n  y\nRUN dir c:\\\nRUN z", &["2-2 FROM a", "3-4 RUN x   y", "5-5 RUN dir c:\\", "6-6 RUN z"])]
#[case::syntax_then_escape("# syntax=docker/dockerfile:1\n#escape = `\nFROM a\nRUN x `\n y", &["3-3 FROM a", "4-5 RUN x  y"])]
#[case::late_escape("# a comment\n# escape=`\nFROM a\nRUN x `\nRUN y", &["3-3 FROM a", "4-4 RUN x `", "5-5 RUN y"])]
#[case::escape_after_an_empty_line("\n# escape=`\nFROM a\nRUN x `\nRUN y", &["3-3 FROM a", "4-4 RUN x `", "5-5 RUN y"])]
#[case::heredoc("FROM a\nRUN <<EOF\nmake\n# no comment\nEOF\nRUN y", &["1-1 FROM a", "2-5 RUN <<EOF", "6-6 RUN y"])]
#[case::heredoc_of_a_program("FROM a\nRUN python3 <<-'END' > /x\n\tprint(1)\n\tEND\nRUN y", &["1-1 FROM a", "2-4 RUN python3 <<-'END' > /x", "5-5 RUN y"])]
#[case::two_heredocs("FROM a\nCOPY <<a <<b /x/\n1\na\n2\nb\nRUN y", &["1-1 FROM a", "2-6 COPY <<a <<b /x/", "7-7 RUN y"])]
#[case::heredoc_in_onbuild("FROM a\nONBUILD RUN <<E\nx\nE\nRUN y", &["1-1 FROM a", "2-4 ONBUILD RUN <<E", "5-5 RUN y"])]
#[case::no_heredoc_elsewhere("FROM a\nLABEL x=<<EOF\nRUN y", &["1-1 FROM a", "2-2 LABEL x=<<EOF", "3-3 RUN y"])]
#[case::no_heredoc_in_quotes("FROM a\nRUN echo '<<EOF x'\nRUN y", &["1-1 FROM a", "2-2 RUN echo '<<EOF x'", "3-3 RUN y"])]
#[case::no_heredoc_in_json("FROM a\nRUN [\"x\", \"<<EOF\"]\nRUN y", &["1-1 FROM a", "2-2 RUN [\"x\", \"<<EOF\"]", "3-3 RUN y"])]
#[case::here_string("FROM a\nRUN cat <<< x\nRUN y", &["1-1 FROM a", "2-2 RUN cat <<< x", "3-3 RUN y"])]
#[case::shift("FROM a\nRUN echo $((1<<2))\nRUN y", &["1-1 FROM a", "2-2 RUN echo $((1<<2))", "3-3 RUN y"])]
#[case::globals("ARG A=1\nARG B\nFROM a", &["1-1 ARG A=1", "2-2 ARG B", "3-3 FROM a"])]
#[case::unknown_instructions_are_kept("FROM a\nFETCH x", &["1-1 FROM a", "2-2 FETCH x"])]
fn instructions_stand_where_they_stand(#[case] text: &str, #[case] wanted: &[&str]) {
    assert_eq!(outline(text), wanted);
}

#[test]
fn heredocs_have_their_lines() {
    let dockerfile = parsed("FROM a\nRUN <<-\"E F\" cat\n\t one\n\ttwo\n\tE F\n");
    let heredoc = &dockerfile.stages[0].instructions[0].heredocs[0];
    assert_eq!((&*heredoc.name, &*heredoc.content), ("E F", " one\ntwo\n"));
    assert_eq!(dockerfile.stages[0].instructions[0].shown(), "RUN <<-\"E F\" cat one two");
}

#[rstest]
#[case("FROM a", None, "a", None)]
#[case("FROM a AS b", None, "a", Some("b"))]
#[case("FROM --platform=$BUILDPLATFORM golang:1.25 as build", Some("$BUILDPLATFORM"), "golang:1.25", Some("build"))]
#[case("FROM   --platform=linux/amd64\ta", Some("linux/amd64"), "a", None)]
#[case("from --platform=\"${P:-x}\" ${A:-b} As c", Some("${P:-x}"), "${A:-b}", Some("c"))]
fn stages_say_what_they_are_from(
    #[case] text: &str,
    #[case] platform: Option<&str>,
    #[case] base: &str,
    #[case] name: Option<&str>,
) {
    let dockerfile = parsed(text);
    let stage = &dockerfile.stages[0];
    assert_eq!((stage.platform.as_deref(), &*stage.base, stage.name.as_deref()), (platform, base, name));
}

#[rstest]
#[case::empty("", None, "there is no FROM")]
#[case::comments("# x\n", None, "there is no FROM")]
#[case::args("ARG A\n", None, "there is no FROM")]
#[case::before("ARG A\nRUN x\nFROM a", Some(2), "RUN stands before the first FROM")]
#[case::html("<!DOCTYPE html>", Some(1), "<!DOCTYPE stands before the first FROM")]
#[case::from_nothing("FROM", Some(1), "FROM is `FROM [--platform")]
#[case::from_much("FROM a b c d", Some(1), "this is `FROM a b c d`")]
#[case::from_not_as("FROM a IS b", Some(1), "this is `FROM a IS b`")]
#[case::escape("# escape=%\nFROM a", Some(1), "`# escape=%` is neither")]
#[case::repeated("# escape=`\n# ESCAPE=`\nFROM a", Some(2), "the directive `escape` stands there twice")]
#[case::heredoc("FROM a\nRUN <<EOF\nx\n", Some(2), "the here-document `EOF` has no end")]
fn what_is_no_dockerfile_is_told_with_its_line(#[case] text: &str, #[case] line: Option<usize>, #[case] said: &str) {
    let error = Dockerfile::parse(text.as_bytes()).unwrap_err();
    assert_eq!(error.line, line, "{error}");
    assert!(error.to_string().contains(said), "{error}");
    let told = error.told("app/Dockerfile");
    let place = line.map_or("app/Dockerfile: ".to_owned(), |line| format!("app/Dockerfile:{line}: "));
    assert!(told.starts_with(&place) && told.ends_with(error.mistake.hint()), "{told}");
}

#[test]
fn a_file_of_utf_16_is_told_as_such() {
    let bytes: Vec<u8> = [0xff, 0xfe].into_iter().chain("FROM a".encode_utf16().flat_map(u16::to_le_bytes)).collect();
    assert_eq!(
        Dockerfile::parse(&bytes).unwrap_err().told("D"),
        "D: it is UTF-16, and Dockerfiles are UTF-8; save it as UTF-8"
    );
}

#[test]
fn a_file_is_read_within_its_limit() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("Dockerfile");
    std::fs::write(&path, "FROM a\n").unwrap();
    assert_eq!(Dockerfile::read(&path), Ok(parsed("FROM a")));
    std::fs::write(&path, "#\n".repeat(MAX_BYTES)).unwrap();
    assert_eq!(Dockerfile::read(&path).unwrap_err().mistake, Mistake::TooLarge);
    assert!(matches!(Dockerfile::read(directory.path()).unwrap_err().mistake, Mistake::Unreadable(_)));
    assert!(matches!(Dockerfile::read(&path.join("x")).unwrap_err().mistake, Mistake::Unreadable(_)));
}

#[rstest]
#[case("--from=build --link a b", &["from=build", "link"], "a b")]
#[case("--mount=type=bind,source=x --mount=type=cache,target=\"/a b\" make", &["mount=type=bind,source=x", "mount=type=cache,target=/a b"], "make")]
#[case("-- --from a", &[], "--from a")]
#[case("make --all", &[], "make --all")]
#[case("--from=a", &["from=a"], "")]
fn flags_come_first(#[case] arguments: &str, #[case] flags: &[&str], #[case] rest: &str) {
    let instruction = Instruction::new(1, 1, format!("COPY {arguments}"));
    assert_eq!((instruction.flags, &*instruction.arguments), (flags.iter().map(|f| (*f).to_owned()).collect(), rest));
}

#[rstest]
#[case("ENV A=1 B=\"x y\" C=a\\ b", &[("A", Some("1")), ("B", Some("\"x y\"")), ("C", Some("a\\ b"))])]
#[case("ENV A all the rest=1", &[("A", Some("all the rest=1"))])]
#[case("ARG A B=1 C=", &[("A", None), ("B", Some("1")), ("C", Some(""))])]
#[case("ENV A='1 2'", &[("A", Some("'1 2'"))])]
fn pairs_are_read(#[case] text: &str, #[case] wanted: &[(&str, Option<&str>)]) {
    let pairs = Instruction::new(1, 1, text).pairs('\\');
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect();
    assert_eq!(pairs, wanted);
}
