//! Where credentials are found, and in which order.

use super::*;
use base64::engine::general_purpose::STANDARD as PADDED;
use rstest::rstest;
use std::fs;
use std::process::Command;
use tempfile::TempDir;

/// A home with the files and helpers of one test.
struct Home {
    directory: TempDir,
    environment: CredentialEnvironment,
}

impl Home {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let below = |name: &str| directory.path().join(name);
        let environment = CredentialEnvironment {
            home: Some(below("home")),
            runtime_dir: Some(below("run")),
            path: Some(below("bin").into_os_string()),
            helper_timeout: Duration::from_secs(20),
            ..CredentialEnvironment::default()
        };
        Self { directory, environment }
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    fn docker(&self, config: &serde_json::Value) {
        self.write("home/.docker/config.json", &config.to_string());
    }

    /// A helper of one shell line. Another process writes it: while this one had it open for writing, a fork in
    /// another test's thread would keep it busy, and it could not be started (ETXTBSY).
    fn helper(&self, name: &str, line: &str) {
        let path = self.directory.path().join("bin").join(format!("docker-credential-{name}"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let status = Command::new("/bin/sh")
            .args(["-c", "printf '#!/bin/sh\\n%s\\n' \"$1\" > \"$0\" && chmod +x \"$0\""])
            .arg(&path)
            .arg(line)
            .status()
            .unwrap();
        assert!(status.success());
    }

    fn look_up(&self, registry: &str, repository: &str) -> Lookup {
        look_up(&self.environment, registry, repository)
    }

    /// The user whose credentials are found.
    fn user(&self, registry: &str, repository: &str) -> Option<String> {
        match self.look_up(registry, repository).found {
            Some((Credentials::Basic { username, .. }, _)) => Some(username),
            Some((other, _)) => panic!("{other:?}"),
            None => None,
        }
    }
}

fn auth(user: &str) -> serde_json::Value {
    serde_json::json!({ "auth": PADDED.encode(format!("{user}:secret")) })
}

fn says(user: &str) -> String {
    format!("echo '{{\"Username\":\"{user}\",\"Secret\":\"secret\"}}'")
}

#[rstest]
// What is there: the registry's helper, the general helper, Docker's auths, auth.json in three places.
#[case(&["helper", "store", "auths", "file", "run", "config"], Some("helper"))]
#[case(&["store", "auths", "file", "run", "config"], Some("store"))]
#[case(&["auths", "file", "run", "config"], Some("auths"))]
#[case(&["file", "run", "config"], Some("file"))]
#[case(&["run", "config"], Some("run"))]
#[case(&["config"], Some("config"))]
#[case(&[], None)]
fn the_nearest_credentials_win(#[case] there: &[&str], #[case] expected: Option<&str>) {
    let mut home = Home::new();
    let mut docker = serde_json::json!({});
    for place in there {
        match *place {
            "helper" => docker["credHelpers"] = serde_json::json!({ "r.example:5000": "own" }),
            "store" => docker["credsStore"] = "general".into(),
            "auths" => docker["auths"] = serde_json::json!({ "r.example:5000": auth("auths") }),
            "file" => {
                let file = serde_json::json!({ "auths": { "r.example:5000": auth("file") } });
                home.environment.registry_auth_file = Some(home.write("my-auth.json", &file.to_string()));
            }
            "run" => {
                let file = serde_json::json!({ "auths": { "r.example:5000": auth("run") } });
                home.write("run/containers/auth.json", &file.to_string());
            }
            _ => {
                let file = serde_json::json!({ "auths": { "r.example:5000": auth("config") } });
                home.write("home/.config/containers/auth.json", &file.to_string());
            }
        }
    }
    home.docker(&docker);
    home.helper("own", &says("helper"));
    home.helper("general", &says("store"));
    assert_eq!(home.user("r.example:5000", "app").as_deref(), expected);
}

#[rstest]
#[case("r.example", "r.example", true)]
#[case("https://r.example", "r.example", true)]
#[case("https://r.example/", "r.example", true)]
#[case("https://r.example/v1/", "r.example", true)]
#[case("http://r.example/v2/", "r.example", true)]
#[case("r.example/v2/", "r.example", true)]
#[case("r.example:5000", "r.example", false)]
#[case("r.example", "r.example:5000", false)]
#[case("r.example/group", "r.example", true)]
#[case("r.example/group/app", "r.example", true)]
#[case("r.example/group/application", "r.example", false)]
#[case("r.example/other", "r.example", false)]
#[case("https://index.docker.io/v1/", "docker.io", true)]
#[case("index.docker.io", "docker.io", true)]
#[case("https://registry-1.docker.io", "docker.io", true)]
#[case("docker.io", "docker.io", true)]
#[case("notdocker.io", "docker.io", false)]
#[case("evil.example/https://r.example", "r.example", false)]
fn a_key_is_read_with_some_tolerance_and_no_more(#[case] key: &str, #[case] registry: &str, #[case] found: bool) {
    let home = Home::new();
    home.docker(&serde_json::json!({ "auths": { key: auth("me") } }));
    assert_eq!(home.user(registry, "group/app").is_some(), found);
}

#[test]
fn the_longest_key_wins() {
    let home = Home::new();
    let file = serde_json::json!({ "auths": {
        "r.example": auth("host"), "r.example/group": auth("group"), "r.example/group/app": auth("app"),
    } });
    home.write("run/containers/auth.json", &file.to_string());
    assert_eq!(home.user("r.example", "group/app").as_deref(), Some("app"));
    assert_eq!(home.user("r.example", "group/other").as_deref(), Some("group"));
    assert_eq!(home.user("r.example", "else/app").as_deref(), Some("host"));
}

#[rstest]
#[case(serde_json::json!({ "auth": "dXNlcjpwYTpzcw" }), Credentials::Basic { username: "user".into(), password: "pa:ss".into() })]
#[case(serde_json::json!({ "auth": "dXNlcjpwYXNzAAA=" }), Credentials::Basic { username: "user".into(), password: "pass".into() })]
#[case(serde_json::json!({ "username": "u", "password": "p" }), Credentials::Basic { username: "u".into(), password: "p".into() })]
#[case(serde_json::json!({ "auth": "dTpw", "identitytoken": "i" }), Credentials::IdentityToken("i".into()))]
#[case(serde_json::json!({ "registrytoken": "r", "identitytoken": "" }), Credentials::RegistryToken("r".into()))]
fn an_entry_is_read(#[case] entry: serde_json::Value, #[case] expected: Credentials) {
    let home = Home::new();
    home.docker(&serde_json::json!({ "auths": { "r.example": entry }, "HttpHeaders": {}, "detachKeys": "x" }));
    assert_eq!(home.look_up("r.example", "app").found.map(|(found, _)| found), Some(expected));
}

#[rstest]
#[case::no_json("nonsense", "not valid at line 1")]
#[case::shape("{\"auths\":[]}", "not valid")]
#[case::base64("{\"auths\":{\"r.example\":{\"auth\":\"s3cret!\"}}}", "not base64")]
#[case::colon("{\"auths\":{\"r.example\":{\"auth\":\"czNjcmV0\"}}}", "no colon")]
#[case::value("{\"auths\":{\"r.example\":{\"auth\":[\"s3cret\"]}}}", "not valid")]
fn a_file_that_cannot_be_used_is_noted_and_passed_over(#[case] text: &str, #[case] why: &str) {
    let home = Home::new();
    home.write("home/.docker/config.json", text);
    let file = serde_json::json!({ "auths": { "r.example": auth("next") } });
    home.write("run/containers/auth.json", &file.to_string());
    let lookup = home.look_up("r.example", "app");
    assert!(
        matches!(lookup.problems.as_slice(), [one] if one.contains(why) && one.contains("config.json")),
        "{lookup:?}"
    );
    assert_eq!(home.user("r.example", "app").as_deref(), Some("next"));
    assert!(!format!("{lookup:?}").contains("s3cret"), "{lookup:?}");
}

#[rstest]
#[case::empty_object("{}")]
#[case::empty_file("")]
#[case::null("{\"auths\":null,\"credsStore\":null}")]
#[case::empty_entry("{\"auths\":{\"r.example\":{}}}")]
#[case::null_entry("{\"auths\":{\"r.example\":null}}")]
fn a_file_that_says_nothing_is_no_problem(#[case] text: &str) {
    let home = Home::new();
    home.write("home/.docker/config.json", text);
    assert_eq!(home.look_up("r.example", "app"), Lookup::default());
}

#[test]
fn a_helper_is_asked_for_the_server_by_its_name_for_it() {
    let home = Home::new();
    home.docker(&serde_json::json!({ "credsStore": "echo" }));
    home.helper("echo", "read server; echo \"{\\\"Username\\\":\\\"$1 $server\\\",\\\"Secret\\\":\\\"s\\\"}\"");
    assert_eq!(home.user("r.example:5000", "app").as_deref(), Some("get r.example:5000"));
    assert_eq!(home.user("docker.io", "library/app").as_deref(), Some("get https://index.docker.io/v1/"));
}

#[test]
fn a_helper_can_give_an_identity_token() {
    let home = Home::new();
    home.docker(&serde_json::json!({ "credHelpers": { "r.example": "token" } }));
    home.helper("token", &says("<token>"));
    let found = home.look_up("r.example", "app").found;
    assert_eq!(found, Some((Credentials::IdentityToken("secret".into()), "docker-credential-token".into())));
}

#[test]
fn an_empty_helper_for_a_registry_means_the_file_itself() {
    let home = Home::new();
    home.docker(&serde_json::json!({
        "credsStore": "general", "credHelpers": { "r.example": "" }, "auths": { "r.example": auth("auths") },
    }));
    home.helper("general", &says("store"));
    assert_eq!(home.user("r.example", "app").as_deref(), Some("auths"));
}

#[rstest]
#[case::on_stdout("echo 'credentials not found in native keychain'; exit 1")]
#[case::on_stderr("echo 'credentials not found in native keychain' >&2; exit 1")]
#[case::empty("echo '{\"ServerURL\":\"\",\"Username\":\"\",\"Secret\":\"\"}'")]
fn a_helper_without_credentials_is_no_problem_and_the_search_goes_on(#[case] line: &str) {
    let home = Home::new();
    home.docker(&serde_json::json!({ "credsStore": "none", "auths": { "r.example": auth("auths") } }));
    home.helper("none", line);
    let lookup = home.look_up("r.example", "app");
    assert!(lookup.problems.is_empty(), "{lookup:?}");
    assert_eq!(home.user("r.example", "app").as_deref(), Some("auths"));
}

#[rstest]
#[case::rubbish("echo rubbish", "did not answer with credentials")]
#[case::nothing("exit 0", "did not answer with credentials")]
#[case::failure("echo 'vault is sealed' >&2; exit 3", "failed: vault is sealed")]
#[case::hanging("exec sleep 60", "gave no answer in 0.2 s")]
#[case::closing("exec >&- ; exec sleep 60", "gave no answer in 0.2 s")]
#[case::not_reading("exec <&- ; echo no; exit 1", "failed: no")]
fn a_helper_that_misbehaves_is_named_and_passed_over(#[case] line: &str, #[case] why: &str) {
    let mut home = Home::new();
    if why.contains("0.2 s") {
        home.environment.helper_timeout = Duration::from_millis(200);
        home.environment.path = Some(format!("{}/bin:/usr/bin:/bin", home.directory.path().display()).into());
    }
    home.docker(&serde_json::json!({ "credsStore": "broken" }));
    home.helper("broken", line);
    let lookup = home.look_up("r.example", "app");
    assert_eq!(lookup.found, None);
    assert!(
        matches!(lookup.problems.as_slice(), [one] if one.contains(why) && one.contains("docker-credential-broken")),
        "{lookup:?}"
    );
}

#[rstest]
#[case("gone")]
#[case("../gone")]
fn a_helper_that_is_not_installed_is_named(#[case] name: &str) {
    let home = Home::new();
    home.docker(&serde_json::json!({ "credsStore": name }));
    let lookup = home.look_up("r.example", "app");
    assert!(
        matches!(lookup.problems.as_slice(), [one] if one.contains(&format!("docker-credential-{name} is not in the PATH"))),
        "{lookup:?}"
    );
}

#[test]
fn without_an_environment_nothing_is_read() {
    assert_eq!(look_up(&CredentialEnvironment::default(), "r.example", "app"), Lookup::default());
}
