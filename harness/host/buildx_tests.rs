use super::*;
use rstest::rstest;

/// buildx 0.13.1 of Debian 13, of a builder that somebody made and nobody started.
const FORCED: &str = "\
Name:          forced
Driver:        docker-container
Last Activity: 2026-11-23 13:39:51 +0000 UTC

Nodes:
Name:                  forced0
Endpoint:              unix:///run/classic/docker.sock
Status:                inactive
BuildKit daemon flags: --allow-insecure-entitlement=network.host
Platforms:             linux/arm64*, linux/mips*
";

/// The same, of Docker's own, and of two nodes.
const NODES: &str = "\
Name:   two
Driver: docker

Nodes:
Name:             one
Endpoint:         default
Status:           running
BuildKit version: v0.8+unknown
Platforms:        linux/amd64, linux/arm64, linux/arm/v7
Labels:
 org.mobyproject.buildkit.worker.executor:             containerd
 Platforms: linux/mips
GC Policy rule#0:
 All:           false
Name:             two
Endpoint:         ssh://me@host
Error:            cannot dial
";

const NO_ENGINE: &str = "\
Name:   default
Driver: \nError:  Cannot connect to the Docker daemon at unix:///nowhere.sock. Is the docker daemon running?
";

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn forced_platforms_are_kept_apart() {
    let builder = parse(FORCED);
    assert_eq!((builder.name.as_str(), builder.driver.as_str(), &builder.error), ("forced", "docker-container", &None));
    let node = Node {
        name: "forced0".to_owned(),
        endpoint: "unix:///run/classic/docker.sock".to_owned(),
        status: "inactive".to_owned(),
        forced: words(&["linux/arm64", "linux/mips"]),
        ..Node::default()
    };
    assert_eq!(builder.nodes, [node]);
}

#[test]
fn each_node_has_its_own_fields_and_lists_are_passed_over() {
    let [one, two] = &parse(NODES).nodes[..] else { panic!() };
    assert_eq!(one.platforms, words(&["linux/amd64", "linux/arm64", "linux/arm/v7"]));
    assert_eq!((one.status.as_str(), one.version.as_str(), &one.error), ("running", "v0.8+unknown", &None));
    assert_eq!((two.endpoint.as_str(), two.error.as_deref()), ("ssh://me@host", Some("cannot dial")));
}

#[test]
fn a_builder_that_cannot_be_asked_says_why() {
    let builder = parse(NO_ENGINE);
    assert_eq!((builder.name.as_str(), builder.driver.as_str()), ("default", ""));
    assert!(builder.error.unwrap().starts_with("Cannot connect"));
}

#[test]
fn hostile_words_are_bounded_and_escaped() {
    let of = |number: i32| format!("Name: {number}\nPlatforms: {}\n", "linux/a\u{1b}*,".repeat(3));
    let many: String = (0..100_000).map(of).collect();
    let builder = parse(&format!("Nodes:\n{many}"));
    assert!(builder.nodes.len() <= MAX_NODES);
    assert_eq!(builder.nodes[0].forced[0], "linux/a\\u{1b}");
    assert!(shown(&"x".repeat(100_000)).len() < 200);
}

#[rstest]
#[case("github.com/docker/buildx v0.29.1 9f1b2c3\n", Some("v0.29.1"))]
#[case("github.com/docker/buildx 0.13.1+ds1 0.13.1+ds1-3\n", Some("0.13.1+ds1"))]
#[case("nonsense\n", None)]
#[case("", None)]
fn a_version_is_its_second_word(#[case] said: &str, #[case] wanted: Option<&str>) {
    assert_eq!(version_in(said).as_deref(), wanted);
}

#[rstest]
#[case("forced", true)]
#[case("desktop-linux", true)]
#[case("--bootstrap", false)]
#[case("../x", false)]
#[case("", false)]
fn only_names_are_asked_for(#[case] name: &str, #[case] wanted: bool) {
    assert_eq!(is_name(name), wanted);
}

/// A directory of Docker's with a program of this text for buildx, and these builders.
fn configured(below: &str, program: &str) -> (tempfile::TempDir, Places) {
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("docker");
    let plugins = home.path().join(below);
    for directory in [&config.join("buildx/instances"), &plugins] {
        fs::create_dir_all(directory).unwrap();
    }
    let extra = serde_json::json!({ "cliPluginsExtraDirs": [home.path().join("extra")], "currentContext": "far" });
    fs::write(config.join("config.json"), extra.to_string()).unwrap();
    fs::write(config.join("buildx/instances/mine"), "{}").unwrap();
    fs::write(config.join("buildx/instances/-rm"), "{}").unwrap();
    let path = plugins.join(PROGRAM);
    // Another thread's child may hold the file open for writing between fork and exec, and what is written to cannot
    // be started (ETXTBSY): a shell writes it, and is gone.
    let mut written = Command::new("sh");
    written.args(["-c", "printf '%s' \"$1\" > \"$2\" && chmod 755 \"$2\"", "sh", program]).arg(&path);
    assert!(written.status().unwrap().success());
    let places = Places {
        config: Some(config),
        system: vec![home.path().join("system")],
        temporary: home.path().to_owned(),
        context: "far".to_owned(),
        ..Places::default()
    };
    (home, places)
}

const PROGRAM_THAT_SAYS: &str = "#!/bin/sh
case $1 in
version) echo github.com/docker/buildx v1.2.3 abc ;;
inspect) : > \"${BUILDX_CONFIG:?}/current\" && printf 'Name: %s\\nDriver: docker\\n' \"${2:-mine}\" ;;
esac
";

#[rstest]
#[case("docker/cli-plugins")]
#[case("extra")]
#[case("system")]
fn it_is_found_where_docker_finds_it(#[case] below: &str) {
    let (home, places) = configured(below, PROGRAM_THAT_SAYS);
    let found = look(&places, false).unwrap();
    assert_eq!(found.path, home.path().join(below).join(PROGRAM));
    assert_eq!((found.version, found.builders), (Ok("v1.2.3".to_owned()), Vec::new()));
}

#[test]
fn every_builder_is_asked_for_once_and_the_current_one_is_marked() {
    let (home, places) = configured("system", PROGRAM_THAT_SAYS);
    let builders = look(&places, true).unwrap().builders;
    let told: Vec<_> = builders.iter().map(|builder| (builder.name.as_str(), builder.current)).collect();
    assert_eq!(told, [("far", false), ("mine", true)]);
    // It wrote, and nothing of that is left.
    assert!(!home.path().join("docker/buildx/current").exists());
    let left = fs::read_dir(home.path()).unwrap().flatten().map(|entry| entry.file_name());
    assert_eq!(left.filter(|name| name.to_string_lossy().starts_with("mpcheck-")).count(), 0);
}

#[rstest]
#[case("#!/bin/sh\necho not for this machine >&2; exit 1\n", "said \"not for this machine\"")]
#[case("#!/bin/sh\n", "said nothing")]
#[case("#!/nowhere/interpreter\n", "could not be started")]
fn a_program_that_does_not_run_is_told(#[case] program: &str, #[case] words: &str) {
    let (_home, places) = configured("system", program);
    let found = look(&places, true).unwrap();
    assert!(found.version.clone().unwrap_err().contains(words), "{found:?}");
    assert_eq!(found.builders, []);
}

#[test]
fn a_builder_that_fails_keeps_its_name_and_its_reason() {
    let program = "#!/bin/sh\n[ $1 = version ] && echo a v1 || { echo 'ERROR: no builder found' >&2; exit 1; }\n";
    let (_home, places) = configured("system", program);
    let builders = look(&places, true).unwrap().builders;
    let told: Vec<_> = builders.iter().map(|builder| (builder.name.as_str(), builder.error.as_deref())).collect();
    assert_eq!(told, [("far", Some("ERROR: no builder found")), ("mine", Some("ERROR: no builder found"))]);
}

#[test]
fn nothing_is_found_where_nothing_is() {
    let (home, places) = configured("elsewhere", PROGRAM_THAT_SAYS);
    assert_eq!(look(&places, true), None);
    // A file that cannot be started is none.
    fs::create_dir_all(home.path().join("system").join(PROGRAM)).unwrap();
    assert_eq!(look(&places, true), None);
}

#[rstest]
#[case::given(Some("unix:///x"), None, None, "default")]
#[case::named_in_the_environment(None, Some("unix:///x"), Some("there"), "default")]
#[case::context(None, None, Some("there"), "there")]
#[case::of_the_configuration(None, None, None, "far")]
fn the_context_is_the_one_that_docker_takes(
    #[case] host: Option<&str>,
    #[case] variable: Option<&str>,
    #[case] named: Option<&str>,
    #[case] wanted: &str,
) {
    let (_home, places) = configured("system", "");
    let environment = EngineEnvironment {
        host: variable.map(str::to_owned),
        context: named.map(str::to_owned),
        config: places.config,
        ..EngineEnvironment::default()
    };
    assert_eq!(context(host, &environment), wanted);
}
