use super::*;
use rstest::rstest;

const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A small world: what lies where.
fn world(path: &Path) -> PathKind {
    match path.to_str().unwrap() {
        "out" | "./out" | "/tmp/a:b" | "/tmp/a" | "build/oci" => PathKind::Layout,
        "app.tar" | "image" | "./c:d.tar" | "./app.tar" | "app.tar.gz" => PathKind::Archive,
        "." | "nginx" | "/tmp" => PathKind::Directory,
        "README.md" | "./README.md" | "notes" | "/etc/passwd" => PathKind::File,
        "empty.tar" => PathKind::Empty,
        "/dev/zero" => PathKind::Special,
        "/root/x.tar" => PathKind::Unreadable("permission denied".into()),
        _ => PathKind::Missing,
    }
}

fn parse(argument: &str) -> Result<Location, ReferenceError> {
    Location::parse_with(argument, &world)
}

fn digest() -> Digest {
    Digest::parse(&format!("sha256:{HEX}")).unwrap()
}

#[rstest]
#[case("app", "docker.io/library/app:latest")]
#[case("app:1.2", "docker.io/library/app:1.2")]
#[case("localhost:5000/app", "localhost:5000/app:latest")]
#[case("docker://app:1.2", "docker.io/library/app:1.2")]
#[case("DOCKER://app:1.2", "docker.io/library/app:1.2")]
#[case("docker://out", "docker.io/library/out:latest")]
#[case("docker://oci-achive:1", "docker.io/library/oci-achive:1")]
// Names of real images that look like transports of other tools.
#[case("registry:2", "docker.io/library/registry:2")]
#[case("docker:24-cli", "docker.io/library/docker:24-cli")]
#[case("out:v1", "docker.io/library/out:v1")]
#[case("registry.example/x.tar:1", "registry.example/x.tar:1")]
fn registry_names(#[case] argument: &str, #[case] name: &str) {
    let Ok(Location::Registry { name: parsed }) = parse(argument) else { panic!("{:?}", parse(argument)) };
    assert_eq!(parsed.to_string(), name);
}

#[rstest]
#[case("docker-daemon:app", "app:latest")]
#[case("docker-daemon:app:1", "app:1")]
#[case("docker-daemon://app:1", "app:1")]
#[case("docker-daemon:localhost:5000/app:1", "localhost:5000/app:1")]
#[case(&format!("docker-daemon:sha256:{HEX}"), &format!("sha256:{HEX}"))]
#[case(&format!("docker-daemon:{HEX}"), &format!("sha256:{HEX}"))]
fn engine_names(#[case] argument: &str, #[case] image: &str) {
    let Ok(Location::Engine { image: parsed }) = parse(argument) else { panic!("{:?}", parse(argument)) };
    assert_eq!(parsed.to_string(), image);
}

#[rstest]
#[case("out", "out", None)]
#[case("./out", "./out", None)]
#[case("./out:v1", "./out", Some(Selector::Name("v1".into())))]
#[case("oci:out", "out", None)]
#[case("oci:out:", "out", None)]
#[case("oci:out:v1", "out", Some(Selector::Name("v1".into())))]
#[case("oci:out:registry.example:5000/app:1", "out", Some(Selector::Name("registry.example:5000/app:1".into())))]
#[case("oci:out:@1", "out", Some(Selector::Position(1)))]
#[case(&format!("oci:out@sha256:{HEX}"), "out", Some(Selector::Digest(digest())))]
#[case(&format!("oci:out:@sha256:{HEX}"), "out", Some(Selector::Digest(digest())))]
#[case(&format!("oci:out:sha256:{HEX}"), "out", Some(Selector::Digest(digest())))]
#[case("oci:/tmp/a:b", "/tmp/a:b", None)]
#[case("oci:/tmp/a:b:v1", "/tmp/a:b", Some(Selector::Name("v1".into())))]
#[case("oci:/tmp/a:c", "/tmp/a", Some(Selector::Name("c".into())))]
fn layouts(#[case] argument: &str, #[case] path: &str, #[case] selector: Option<Selector>) {
    assert_eq!(parse(argument), Ok(Location::Layout { path: path.into(), selector }));
}

#[rstest]
#[case("app.tar", "app.tar", None, ArchiveForm::Any)]
#[case("image", "image", None, ArchiveForm::Any)]
#[case("app.tar.gz", "app.tar.gz", None, ArchiveForm::Any)]
#[case("./c:d.tar", "./c:d.tar", None, ArchiveForm::Any)]
#[case("./app.tar:v1", "./app.tar", Some("v1"), ArchiveForm::Any)]
#[case("app.tar:busybox:1", "app.tar", Some("busybox:1"), ArchiveForm::Any)]
#[case("oci-archive:app.tar", "app.tar", None, ArchiveForm::Oci)]
#[case("oci-archive:app.tar:v1", "app.tar", Some("v1"), ArchiveForm::Oci)]
#[case("docker-archive:app.tar:app:1", "app.tar", Some("app:1"), ArchiveForm::Docker)]
fn archives(#[case] argument: &str, #[case] path: &str, #[case] selector: Option<&str>, #[case] form: ArchiveForm) {
    let selector = selector.map(|s| Selector::Name(s.into()));
    assert_eq!(parse(argument), Ok(Location::Archive { path: path.into(), selector, form }));
}

#[rstest]
#[case("", "an image name is missing", "name an image")]
#[case("  ", "an image name is missing", "name an image")]
#[case("docker-daemon:", "an image name is missing after `docker-daemon:`", "name an image")]
#[case("oci:", "an image name is missing after `oci:`", "name an image")]
#[case("containers-storage:app", "images are not read from `containers-storage:`", "skopeo copy --all")]
#[case("dir:/tmp/x", "images are not read from `dir:`", "skopeo copy")]
#[case("ocidir://out:v1", "images are not read from `ocidir://`", "oci:DIR:TAG")]
#[case("oci-achive:./app.tar", "did you mean `oci-archive:`", "docker://oci-achive:")]
#[case("docker-deamon:app", "did you mean `docker-daemon:`", "docker://docker-deamon:")]
#[case("docker-archiv:app.tar", "did you mean `docker-archive:`", "write `docker-archive:")]
#[case("https://registry.example/app", "is an address", "write `registry.example/app`")]
#[case("docker://https://registry.example/app", "is an address", "write `registry.example/app`")]
#[case("nginx", "nginx is no image: it is a directory without an `oci-layout` file", "`docker://nginx`")]
#[case(".", ". is no image: it is a directory", "skopeo copy")]
#[case("notes", "notes is no image: it is a file, and no tar", "`docker://notes`")]
#[case("README.md", "README.md is no image: it is a file, and no tar", "dest=FILE`")]
#[case("oci:/tmp", "/tmp is no image: it is a directory", "skopeo copy")]
#[case("oci:app.tar:v1", "app.tar is no image: it is an archive", "oci-archive:app.tar")]
#[case("oci-archive:out", "out is no image: it is an OCI layout directory", "oci:out")]
#[case("empty.tar", "empty.tar is no image: it is an empty file", "make it again")]
#[case("/dev/zero", "/dev/zero is no image: it is a device", "regular file")]
#[case("MyApp", "the repository `MyApp` has upper-case letters", "./")]
#[case("app:", "`app:` is no image name: `` is no tag", "./")]
#[case("a b", "`a b` is no repository component", "./")]
#[case(HEX, "an image id", "./")]
fn usage_errors(#[case] argument: &str, #[case] message: &str, #[case] hint: &str) {
    let error = parse(argument).unwrap_err();
    assert!(error.to_string().contains(message), "{error}");
    assert!(error.hint().contains(hint), "{}", error.hint());
    assert!(error.is_usage());
}

#[rstest]
#[case("./none", "./none does not exist")]
#[case("/none", "/none does not exist")]
#[case("none.tar", "none.tar does not exist")]
#[case("none.tar:v1", "none.tar does not exist")]
#[case("./none:v1", "./none does not exist")]
#[case("oci:none:v1", "none does not exist")]
#[case("oci-archive:none.tar:v1", "none.tar does not exist")]
#[case("docker-archive:none", "none does not exist")]
#[case("/root/x.tar", "/root/x.tar cannot be read: permission denied")]
fn what_is_not_there_is_no_usage_error(#[case] argument: &str, #[case] message: &str) {
    let error = parse(argument).unwrap_err();
    assert_eq!(error.to_string(), message);
    assert!(!error.is_usage());
    assert!(!error.hint().is_empty());
}

/// What has no registry's form is not advised to be looked for in one.
#[rstest]
#[case("README.md")]
#[case("./README.md")]
#[case("/etc/passwd")]
#[case("/tmp")]
#[case("/none")]
#[case("./none")]
fn a_path_that_is_no_name_is_not_sent_to_a_registry(#[case] argument: &str) {
    let hint = parse(argument).unwrap_err().hint();
    // The name of an example is no advice.
    assert!(!hint.contains("where a registry's image is meant"), "{hint}");
}

#[test]
fn control_characters_do_not_reach_the_terminal() {
    let error = parse("./a\u{1b}[31mb").unwrap_err();
    assert!(!error.to_string().contains('\u{1b}'), "{error}");
    let error = parse("docker://a\u{1b}[31mb").unwrap_err();
    assert!(!error.to_string().contains('\u{1b}'), "{error}");
}

mod on_disk {
    use super::*;
    use std::fs;

    #[test]
    fn kinds_are_told_apart_and_a_fifo_is_not_opened() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir(at("layout")).unwrap();
        fs::write(at("layout/oci-layout"), "{}").unwrap();
        fs::create_dir(at("plain")).unwrap();
        fs::write(at("empty"), "").unwrap();
        fs::write(at("text"), "hello\n".repeat(200)).unwrap();
        fs::write(at("a.tar"), [0; 1024]).unwrap();
        fs::write(at("a.tgz"), b"\x1f\x8b\x08rest").unwrap();
        std::os::unix::fs::symlink("a.tar", at("link")).unwrap();
        std::os::unix::fs::symlink("nowhere", at("dangling")).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(at("fifo")).status().unwrap().success());
        for (name, kind) in [
            ("layout", PathKind::Layout),
            ("plain", PathKind::Directory),
            ("empty", PathKind::Empty),
            ("text", PathKind::File),
            ("a.tar", PathKind::Archive),
            ("a.tgz", PathKind::Archive),
            ("link", PathKind::Archive),
            ("dangling", PathKind::Missing),
            ("none", PathKind::Missing),
            ("text/below", PathKind::Missing),
            ("fifo", PathKind::Special),
        ] {
            assert_eq!(PathKind::of(&at(name)), kind, "{name}");
        }
        assert_eq!(PathKind::of(Path::new("a\0b")), PathKind::Missing);
        assert_eq!(PathKind::of(Path::new(&"x".repeat(5000))), PathKind::Missing);
    }
}
