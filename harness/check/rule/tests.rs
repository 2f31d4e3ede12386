use std::collections::BTreeSet;

use rstest::rstest;

use super::*;

/// The rules by name, in the order in which harness/README.md asks to add them. A name that changes breaks its users.
const WANTED: [&str; 75] = [
    "manifest/missing-platform",
    "manifest/unexpected-platform",
    "manifest/lost-platform",
    "manifest/config-mismatch",
    "manifest/duplicate-platform",
    "manifest/identical-content",
    "manifest/unknown-platform",
    "manifest/orphan-attestation",
    "manifest/invalid",
    "blob/missing",
    "blob/digest-mismatch",
    "blob/size-mismatch",
    "layer/diff-id-mismatch",
    "layer/corrupt",
    "layer/too-large",
    "binary/foreign-architecture",
    "binary/entrypoint-missing",
    "binary/entrypoint-not-executable",
    "binary/not-a-program",
    "binary/malformed",
    "binary/emulator-left-behind",
    "run/wrong-machine",
    "run/native-leak",
    "run/exec-format-error",
    "run/command-failed",
    "run/output-mismatch",
    "run/timeout",
    "run/illegal-instruction",
    "run/emulator-crashed",
    "suite/file-mismatch",
    "suite/metadata-mismatch",
    "suite/structure-test",
    "host/not-ready",
    "host/lost-readiness",
    "host/flapping",
    "host/emulation-broken",
    "host/no-fix-binary",
    "host/dynamic-emulator",
    "host/emulator-gone",
    "host/handler-disabled",
    "host/binfmt-unavailable",
    "host/wrong-mask",
    "host/native-handler",
    "host/duplicate-handlers",
    "host/not-persisted",
    "host/not-registered",
    "host/emulator-version",
    "host/no-credentials",
    "host/argv0-lost",
    "host/no-sandbox",
    "host/page-size",
    "host/handler-not-listed",
    "host/engine-not-ready",
    "host/only-in-engine",
    "host/engine-failed",
    "host/buildkit-off",
    "host/no-buildx",
    "host/builder-platform",
    "host/classic-store",
    "host/engine-architecture",
    "host/default-platform",
    "build/pinned-stage",
    "build/single-platform-base",
    "build/fixed-architecture",
    "build/unused-targetarch",
    "build/failed",
    "build/no-emulator",
    "build/base-missing",
    "build/timeout",
    "build/wrong-result",
    "build/builder-failed",
    "build/push-failed",
    "build/manifest-list",
    "build/different-results",
    "build/left-behind",
];

#[test]
fn the_table_has_the_documented_rules_in_their_order() {
    assert_eq!(RULES.iter().map(|rule| rule.name).collect::<Vec<_>>(), WANTED);
}

#[test]
fn names_are_unique() {
    let names: BTreeSet<_> = RULES.iter().map(|rule| rule.name).collect();
    assert_eq!(names.len(), RULES.len());
}

#[test]
fn names_are_a_group_and_a_kebab_case_name() {
    let kebab = |part: &str| {
        part.split('-')
            .all(|word| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()))
    };
    for rule in RULES {
        let (group, name) = rule.name.split_once('/').unwrap();
        assert!(kebab(group) && kebab(name), "{}", rule.name);
        assert_eq!(rule.group(), group);
    }
}

#[test]
fn a_group_stands_together() {
    let mut groups: Vec<_> = RULES.iter().map(Rule::group).collect();
    groups.dedup();
    assert_eq!(groups, ["manifest", "blob", "layer", "binary", "run", "suite", "host", "build"]);
}

#[test]
fn only_what_the_design_says_is_milder_than_an_error() {
    // What is wrong with a host fails nothing that nobody requires, and what a Dockerfile leads to is not yet built.
    let of_host = |rule: &&Rule| rule.group() == "host";
    let milder: Vec<_> = RULES.iter().filter(|rule| !of_host(rule) && rule.severity != Severity::Error).collect();
    let of_dockerfile = [&PINNED_STAGE, &SINGLE_PLATFORM_BASE, &FIXED_ARCHITECTURE, &UNUSED_TARGETARCH];
    assert_eq!(milder[..3], [&ORPHAN_ATTESTATION, &EMULATOR_LEFT_BEHIND, &EMULATOR_CRASHED]);
    assert_eq!(milder[3..7], of_dockerfile);
    assert_eq!(milder[7..], [&LEFT_BEHIND]);
    let errors: Vec<_> = RULES.iter().filter(of_host).filter(|rule| rule.severity == Severity::Error).collect();
    assert_eq!(errors, [&NOT_READY, &ENGINE_NOT_READY, &ENGINE_FAILED]);
}

#[test]
fn a_summary_is_half_a_sentence_on_one_line() {
    for Rule { name, summary, .. } in RULES {
        assert!((20..=72).contains(&summary.len()), "{name}: {summary}");
        assert!(!summary.ends_with('.') && summary.starts_with(char::is_lowercase), "{name}: {summary}");
    }
}

/// Each page has its own name as title, and every heading once, in order, with a text below it.
#[test]
fn every_page_is_whole() {
    for rule in RULES {
        assert!(rule.text.starts_with(&format!("# {}\n\n## ", rule.name)), "{}", rule.name);
        let headings: Vec<_> = rule.text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        assert_eq!(headings, HEADINGS, "{}", rule.name);
        for heading in HEADINGS {
            assert!(!rule.section(heading).trim().is_empty(), "{}: {heading}", rule.name);
        }
        assert!(rule.meaning().len() > 100 && rule.why().len() > 100 && rule.fix().len() > 60, "{}", rule.name);
    }
}

#[test]
fn pages_are_plain_text_that_fits_a_terminal() {
    for rule in RULES {
        for line in rule.page().lines() {
            assert!(line.is_ascii() && !line.contains('\t') && !line.ends_with(' '), "{}: {line:?}", rule.name);
            assert!(line.len() <= 80, "{}: {} columns: {line}", rule.name, line.len());
        }
    }
}

#[test]
fn links_are_https_and_stand_at_the_end_of_their_line() {
    for rule in RULES {
        assert!(!rule.text.contains("http://"), "{}", rule.name);
        for (before, link) in rule.text.lines().filter_map(|line| line.split_once("https://")) {
            // A command or an instruction may have an example's address in it.
            let example = link.starts_with("example.org/");
            assert!(example || !link.contains(' ') && link.ends_with(|c: char| c.is_alphanumeric() || c == '/'));
            assert!(!before.contains("https"), "{}: {before}", rule.name);
        }
    }
}

#[test]
fn what_breaks_published_images_is_linked() {
    let static_rules = [FOREIGN_ARCHITECTURE, IDENTICAL_CONTENT, CONFIG_MISMATCH, LOST_PLATFORM, NOT_A_PROGRAM];
    let run_rules = [WRONG_MACHINE, NATIVE_LEAK, EXEC_FORMAT_ERROR, COMMAND_FAILED, ILLEGAL_INSTRUCTION];
    for rule in static_rules.into_iter().chain(run_rules).chain([NO_FIX_BINARY, NOT_PERSISTED, NO_SANDBOX]) {
        assert!(rule.why().contains("https://github.com/"), "{}", rule.name);
    }
}

/// The directory of pages and the table are the same set: a page without a row is dead.
#[test]
fn every_page_has_a_row() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/harness/check/rules");
    let mut pages = BTreeSet::new();
    for group in std::fs::read_dir(root).unwrap() {
        let group = group.unwrap();
        for page in std::fs::read_dir(group.path()).unwrap() {
            let page = page.unwrap().file_name().into_string().unwrap();
            pages.insert(format!("{}/{}", group.file_name().display(), page.strip_suffix(".md").unwrap()));
        }
    }
    assert_eq!(pages, RULES.iter().map(|rule| rule.name.to_owned()).collect());
}

#[test]
fn a_page_says_the_name_the_severity_and_every_part() {
    let page = EMULATOR_LEFT_BEHIND.page();
    let start = "binary/emulator-left-behind (note)\n\
                 a qemu-user emulator is in the image\n\
                 \n\
                 WHAT IT MEANS\n\
                 \n\
                 The image has a program of qemu-user in it, such as\n";
    assert!(page.starts_with(start), "{page}");
    assert!(page.ends_with("so there is nothing to do.\n"), "{page}");
    assert!(page.contains("\n\nHOW TO FIX IT\n\nRemove the COPY,"), "{page}");
    assert!(page.contains("\n    docker run --privileged --rm tonistiigi/binfmt --install all\n"), "{page}");
}

#[test]
fn the_list_has_a_line_per_rule_under_its_group() {
    let list = list();
    assert!(list.starts_with("manifest\n  manifest/missing-platform         error    a required platform"), "{list}");
    assert!(list.contains("\n\nblob\n  blob/missing                      error    a blob"), "{list}");
    assert_eq!(list.lines().filter(|line| line.starts_with("  ")).count(), RULES.len());
}

#[test]
fn a_group_is_listed_alone() {
    let list = list_of("Blob").unwrap();
    assert!(list.starts_with("blob\n  blob/missing "), "{list}");
    assert!(list.contains("  blob/size-mismatch ") && !list.contains("layer/"), "{list}");
    assert!(list.ends_with("`mpcheck explain RULE` says what a rule means, why it matters and how to fix it.\n"));
    assert_eq!(list_of("blob/").as_ref(), Some(&list));
    assert_eq!(list_of("blo"), None);
    assert_eq!(list_of(""), None);
}

/// The README's table of rules is the table: names, severities, and what is wrong.
#[test]
fn the_readme_has_every_rule() {
    let readme = include_str!("../../../README.md");
    let severity = |rule: &Rule| severity(rule.severity);
    let rows = RULES.iter().map(|rule| format!("| `{}` | {} | {} |", rule.name, severity(rule), rule.summary));
    let is_row = |line: &&str| RULES.iter().any(|rule| line.starts_with(&format!("| `{}/", rule.group())));
    assert_eq!(readme.lines().filter(is_row).collect::<Vec<_>>(), rows.collect::<Vec<_>>());
}

#[rstest]
#[case::exact("layer/corrupt", LAYER_CORRUPT)]
#[case::upper_case("LAYER/Corrupt", LAYER_CORRUPT)]
#[case::half("corrupt", LAYER_CORRUPT)]
#[case::half_in_upper_case("Foreign-Architecture", FOREIGN_ARCHITECTURE)]
#[case::as_a_constant("ENTRYPOINT_MISSING", ENTRYPOINT_MISSING)]
fn a_rule_is_found_in_any_case_and_by_half_of_its_name(#[case] given: &str, #[case] wanted: Rule) {
    assert_eq!(find(given), Ok(&wanted));
}

#[rstest]
#[case::exact("binary/malformed", Some("binary/malformed"))]
#[case::typing("binary/foriegn-architecture", Some("binary/foreign-architecture"))]
#[case::without_its_group("foreign-architecture", Some("binary/foreign-architecture"))]
#[case::as_a_constant("FOREIGN_ARCHITECTURE", Some("binary/foreign-architecture"))]
#[case::another_group("manifest/digest-mismatch", Some("blob/digest-mismatch"))]
#[case::half("diff-id", None)]
#[case::too_little("mismatch", None)]
#[case::nonsense("kubernetes", None)]
#[case::empty("", None)]
#[case::long("é".repeat(100_000), None)]
fn the_nearest_rule_is_suggested(#[case] given: impl Into<String>, #[case] wanted: Option<&str>) {
    assert_eq!(nearest(&given.into()).map(|rule| rule.name), wanted);
}

#[test]
fn a_wrong_name_is_answered_with_the_next_step() {
    assert_eq!(find("layer/corrupt"), Ok(&LAYER_CORRUPT));
    assert_eq!(explain("layer/corupt"), None);
    assert_eq!(
        find("layer/corupt").unwrap_err().to_string(),
        "no rule is called \"layer/corupt\", but \"layer/corrupt\" is one; `mpcheck rules` lists them"
    );
    assert_eq!(
        find("kubernetes").unwrap_err().to_string(),
        "no rule is called \"kubernetes\"; `mpcheck rules` lists them"
    );
}
