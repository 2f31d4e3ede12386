use super::*;
use rstest::rstest;

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn manifest_of(layers: usize) -> String {
    let one = format!(r#"{{"mediaType":"m","digest":"{DIGEST}","size":0}}"#);
    let layers = vec![one.as_str(); layers].join(",");
    format!(r#"{{"schemaVersion":2,"config":{one},"layers":[{layers}]}}"#)
}

#[test]
fn more_layers_than_can_be_stacked_are_no_manifest() {
    assert!(parse(manifest_of(MAX_LAYERS).as_bytes(), None).is_ok());
    let error = parse(manifest_of(MAX_LAYERS + 1).as_bytes(), None).unwrap_err();
    assert!(error.to_string().contains("it lists 1001 layers"), "{error}");
}

#[rstest]
#[case::entrypoint(r#"{"config":{"Entrypoint":[LIST]}}"#, r#""""#)]
#[case::command(r#"{"config":{"Cmd":[LIST]}}"#, r#""""#)]
#[case::environment(r#"{"config":{"Env":[LIST]}}"#, r#""A=1""#)]
#[case::history(r#"{"history":[LIST]}"#, "{}")]
fn lists_that_no_kernel_takes_are_no_config(#[case] config: &str, #[case] one: &str) {
    let of = |n: usize| config.replace("LIST", &vec![one; n].join(","));
    assert!(parse_config(of(MAX_CONFIG_ENTRIES).as_bytes()).is_ok());
    let error = parse_config(of(MAX_CONFIG_ENTRIES + 1).as_bytes()).unwrap_err();
    assert!(error.to_string().contains("has 20001 entries"), "{error}");
}

#[rstest]
#[case::labels(r#""NAME":"v""#, "Labels")]
#[case::ports(r#""NAME":{}"#, "ExposedPorts")]
fn maps_that_nobody_writes_are_no_config(#[case] one: &str, #[case] field: &str) {
    let of = |n: usize| {
        let all: Vec<String> = (0..n).map(|i| one.replace("NAME", &i.to_string())).collect();
        format!(r#"{{"config":{{"{field}":{{{}}}}}}}"#, all.join(","))
    };
    assert!(parse_config(of(MAX_CONFIG_ENTRIES).as_bytes()).is_ok());
    let error = parse_config(of(MAX_CONFIG_ENTRIES + 1).as_bytes()).unwrap_err();
    assert!(error.to_string().contains(&format!("`config.{field}` has 20001 entries")), "{error}");
}

#[test]
fn labels_and_ports_are_read() {
    let json =
        br#"{"config":{"Labels":{"b":"2","a":"","n":null},"ExposedPorts":{"80/tcp":{},"53/udp":{},"443":null}}}"#;
    let config = parse_config(json).unwrap();
    let labels: Vec<(&str, &str)> = config.labels.iter().map(|(name, value)| (&**name, &**value)).collect();
    assert_eq!(labels, [("a", ""), ("b", "2"), ("n", "")]);
    assert_eq!(config.ports, ["443", "53/udp", "80/tcp"]);
    let none = parse_config(br#"{"config":{"Labels":null,"ExposedPorts":null}}"#).unwrap();
    assert!(none.labels.is_empty() && none.ports.is_empty());
}

#[test]
fn an_instruction_is_shown_as_far_as_one_can_read_it() {
    let text = format!("RUN {}", "\u{e9}".repeat(5000));
    let config = Config {
        diff_ids: vec![Digest::parse(DIGEST).unwrap()],
        history: vec![History { created_by: text.clone(), is_empty_layer: false }],
        ..Config::default()
    };
    let shown = config.instruction_of(0).unwrap();
    assert!(shown.len() <= MAX_INSTRUCTION_BYTES && shown.len() > MAX_INSTRUCTION_BYTES - 4);
    assert!(text.starts_with(shown));
}

#[test]
fn the_platform_of_a_config_is_read() {
    let config = parse_config(
        br#"{"os":"windows","architecture":"amd64","variant":"v1","os.version":"10.0","os.features":["win32k"],"x":1}"#,
    );
    let platform = config.unwrap().platform;
    let fields =
        [platform.os, platform.architecture, platform.variant, platform.os_version, platform.os_features.join(",")];
    assert_eq!(fields, ["windows", "amd64", "v1", "10.0", "win32k"]);
}
