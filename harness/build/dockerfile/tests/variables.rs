//! Variables, and the stages that hang on them.

use super::parsed;
use crate::build::dockerfile::*;
use crate::platform::Platform;
use rstest::rstest;
use std::collections::BTreeMap;

fn variables(pairs: &[(&str, &str)]) -> Variables {
    let mut variables = Variables::default();
    pairs.iter().for_each(|(name, value)| variables.set(name, (*value).to_owned()));
    variables
}

#[rstest]
#[case("a", "a")]
#[case("$X", "one")]
#[case("${X}", "one")]
#[case("a$X.b", "aone.b")]
#[case("$XY", "")]
#[case("${X}Y", "oneY")]
#[case("${Z:-two}", "two")]
#[case("${Z-two}", "two")]
#[case("${E:-two}", "two")]
#[case("${E-two}", "")]
#[case("${X:+two}", "two")]
#[case("${Z:+two}", "")]
#[case("${E+two}", "two")]
#[case("${E:+two}", "")]
#[case("${Z:-${E:-$X}}", "one")]
#[case("${Z:-'a}b'}", "a}b")]
#[case("'$X'", "$X")]
#[case("\"$X\"", "one")]
#[case("\\$X", "$X")]
#[case("\"\\$X\\n\"", "$X\\n")]
#[case("$", "$")]
#[case("a$.b", "a$.b")]
#[case("it\\'s", "it's")]
fn variables_are_expanded(#[case] text: &str, #[case] wanted: &str) {
    assert_eq!(expand(text, &variables(&[("X", "one"), ("E", "")]), '\\').unwrap().text, wanted);
}

#[rstest]
#[case("${", ExpandError::Syntax)]
#[case("${}", ExpandError::Syntax)]
#[case("${X", ExpandError::Syntax)]
#[case("${X:-", ExpandError::Syntax)]
#[case("${{X}}", ExpandError::Syntax)]
#[case("'x", ExpandError::Syntax)]
#[case("\"x", ExpandError::Syntax)]
#[case("${X#o}", ExpandError::Unsupported)]
#[case("${X:?no}", ExpandError::Unsupported)]
#[case("${X/o/a}", ExpandError::Unsupported)]
fn what_is_not_expanded_is_an_error(#[case] text: &str, #[case] wanted: ExpandError) {
    assert_eq!(expand(text, &variables(&[("X", "one")]), '\\').unwrap_err(), wanted);
}

#[rstest]
#[case("curl $X/${X}/$Y/${Y}/${X:-a}/$(x)/$", "curl one/one/$Y/${Y}/${X:-a}/$(x)/$")]
#[case("a ${X b", "a ${X b")]
fn what_is_known_is_put_into_a_shells_text(#[case] text: &str, #[case] wanted: &str) {
    assert_eq!(substitute(text, &variables(&[("X", "one")])), wanted);
}

/// The value of a variable before the last stage's end, for linux/arm/v7 built on linux/amd64.
fn value(text: &str, name: &str, build_args: &[(&str, &str)]) -> Option<String> {
    let (target, build) = (Platform::parse("linux/arm/v7").unwrap(), Platform::parse("linux/amd64").unwrap());
    let build_args: BTreeMap<_, _> = build_args.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    let scope = Scope { target: &target, build: &build, build_args: &build_args };
    let dockerfile = parsed(text);
    let built = dockerfile.built(None, &scope).unwrap();
    super::variables_after(&built, &scope).get(name).map(str::to_owned)
}

#[rstest]
#[case::not_without_arg("FROM a", "TARGETARCH", &[], None)]
#[case::arch("FROM a\nARG TARGETARCH", "TARGETARCH", &[], Some("arm"))]
#[case::variant("FROM a\nARG TARGETOS TARGETVARIANT", "TARGETVARIANT", &[], Some("v7"))]
#[case::platform("FROM a\nARG TARGETPLATFORM", "TARGETPLATFORM", &[], Some("linux/arm/v7"))]
#[case::build("FROM a\nARG BUILDARCH", "BUILDARCH", &[], Some("amd64"))]
#[case::no_variant("FROM a\nARG BUILDVARIANT", "BUILDVARIANT", &[], Some(""))]
#[case::a_default_wins("FROM a\nARG TARGETARCH=amd64", "TARGETARCH", &[], Some("amd64"))]
#[case::global_default("ARG TARGETARCH=amd64\nFROM a\nARG TARGETARCH", "TARGETARCH", &[], Some("amd64"))]
#[case::global("ARG V=1\nFROM a\nARG V", "V", &[], Some("1"))]
#[case::global_not_asked_for("ARG V=1\nFROM a", "V", &[], None)]
#[case::own_default("ARG V=1\nFROM a\nARG V=2", "V", &[], Some("2"))]
#[case::build_arg("ARG V=1\nFROM a\nARG V", "V", &[("V", "3")], Some("3"))]
#[case::build_arg_over_default("FROM a\nARG V=2", "V", &[("V", "3")], Some("3"))]
#[case::env("FROM a\nARG TARGETARCH\nENV A=x-$TARGETARCH", "A", &[], Some("x-arm"))]
#[case::env_of_a_stage("FROM a AS b\nENV A=1\nFROM b\nENV B=$A", "B", &[], Some("1"))]
#[case::env_of_another_stage("FROM a AS b\nENV A=1\nFROM c", "A", &[], None)]
#[case::one_env_sees_what_was_before("FROM a\nENV A=1\nENV A=2 B=$A", "B", &[], Some("1"))]
#[case::one_arg_sees_itself("FROM a\nARG A=1 B=$A", "B", &[], Some("1"))]
#[case::the_base_may_set_it("FROM a\nENV A=$PATH", "A", &[], None)]
#[case::and_then_it_is_not_known("FROM a\nENV A=1\nENV A=$PATH", "A", &[], None)]
fn variables_have_the_values_that_buildkit_gives_them(
    #[case] text: &str,
    #[case] name: &str,
    #[case] build_args: &[(&str, &str)],
    #[case] wanted: Option<&str>,
) {
    assert_eq!(value(text, name, build_args).as_deref(), wanted);
}

const STAGES: &str = "\
ARG BASE=debian
FROM golang AS build
FROM build AS test
FROM scratch AS tools
FROM $BASE AS common
FROM common AS final-amd64
COPY --from=build /a /a
FROM common AS final-arm
RUN --mount=type=bind,from=tools,target=/t make
FROM final-${TARGETARCH} AS Final
COPY --from=image:1 /a /b
";

#[rstest]
#[case::last("linux/amd64", None, &[6, 4, 3], &[0, 3, 4, 6])]
#[case::by_platform("linux/arm/v7", None, &[6, 5, 3], &[2, 3, 5, 6])]
#[case::any_case("linux/amd64", Some("FINAL"), &[6, 4, 3], &[0, 3, 4, 6])]
#[case::other("linux/amd64", Some("test"), &[1, 0], &[0, 1])]
#[case::by_number("linux/amd64", Some("3"), &[3], &[3])]
#[case::none_is_named("linux/s390x", None, &[6], &[6])]
fn a_target_is_followed(
    #[case] platform: &str,
    #[case] target: Option<&str>,
    #[case] chain: &[usize],
    #[case] reachable: &[usize],
) {
    let (platform, build_args) = (Platform::parse(platform).unwrap(), BTreeMap::new());
    let scope = Scope { target: &platform, build: &platform, build_args: &build_args };
    let dockerfile = parsed(STAGES);
    let built = dockerfile.built(target, &scope).unwrap();
    assert_eq!(built.chain, chain);
    assert_eq!(built.reachable.into_iter().collect::<Vec<_>>(), reachable);
}

#[test]
fn bases_are_scratch_stages_images_or_unknown() {
    let dockerfile = parsed("FROM a AS b\nFROM B\nFROM scratch\nFROM $X\nFROM ${X#a}\nFROM later\nFROM x AS later");
    let globals = Variables::default();
    let bases: Vec<Base> = (0..7).map(|index| dockerfile.base_of(index, &globals)).collect();
    assert_eq!(bases[..3], [Base::Image("a".into()), Base::Stage(0), Base::Scratch]);
    assert!(matches!(&bases[3], Base::Unknown(why) if why.contains("X is not set")), "{bases:?}");
    assert!(matches!(&bases[4], Base::Unknown(why) if why.contains("does not evaluate")), "{bases:?}");
    // A stage can only be FROM one above it.
    assert_eq!(bases[5], Base::Image("later".into()));
}

#[test]
fn a_target_that_is_not_there_is_told_with_those_that_are() {
    let error = parsed("FROM a AS build\nFROM b AS final").target(Some("finale")).unwrap_err();
    assert_eq!(error.to_string(), "no stage is called \"finale\"; there are build, final");
    let error = parsed("FROM a").target(Some("x")).unwrap_err();
    assert_eq!(error.to_string(), "no stage is called \"x\"; none has a name: write `FROM IMAGE AS NAME`");
}
