//! What is reached: a foreign program at a place that explains it is an error once something leads there.

use crate::checked::Given;
use mpcheck_kit::elf::Elf;
use mpcheck_kit::files::script;
use mpcheck_kit::image::Image;
use mpcheck_kit::layer::Layer;
use rstest::rstest;

/// Where the foreign program lies: shared data is explained, unless it is started.
const TOOL: &str = "/usr/share/x/tool";

/// Native sh, tini and env, and the foreign program, in linux/arm64.
fn image() -> Image {
    Image::new("linux/arm64")
        .layer(
            Layer::new()
                .dirs(&["usr", "usr/bin", "usr/share", "usr/share/x", "usr/local", "usr/local/bin", "sbin"])
                .symlink("bin", "usr/bin")
                .program("usr/bin/sh", Elf::program("arm64").salt("sh").build())
                .program("usr/bin/env", Elf::program("arm64").salt("env").build())
                .program("sbin/tini", Elf::program("arm64").salt("tini").build())
                .program("sbin/dumb-init", Elf::program("arm64").salt("dumb-init").build()),
        )
        .layer(Layer::new().program("usr/share/x/tool", Elf::program("amd64").build()))
        .env("PATH=/usr/local/bin:/usr/bin:/bin:/sbin")
}

fn with(layer: Layer) -> Image {
    image().layer(layer)
}

fn linked() -> Image {
    with(Layer::new().symlink("usr/local/bin/tool", "../../share/x/tool"))
}

#[rstest]
#[case::entrypoint(image().entrypoint(&[TOOL]), r#"entrypoint ["/usr/share/x/tool"]"#)]
#[case::command(image().cmd(&[TOOL, "-v"]), r#"command ["/usr/share/x/tool", "-v"]"#)]
#[case::command_of_an_entrypoint(image().entrypoint(&["/sbin/tini"]).cmd(&[TOOL]), r#"entrypoint ["/sbin/tini"]"#)]
#[case::command_of_a_script(
    with(Layer::new().program("entry.sh", script("/bin/sh", "exec \"$@\""))).entrypoint(&["/entry.sh"]).cmd(&[TOOL]),
    r#"command ["/usr/share/x/tool"]"#
)]
#[case::argument(
    image().entrypoint(&["/usr/bin/env", "-i", TOOL]),
    r#"entrypoint ["/usr/bin/env", "-i", "/usr/share/x/tool"]"#
)]
#[case::tini(
    image().entrypoint(&["/sbin/tini", "-g", "--", TOOL]),
    r#"entrypoint ["/sbin/tini", "-g", "--", "/usr/share/x/tool"]"#
)]
#[case::tini_with_value(
    image().entrypoint(&["tini", "-e", "143", TOOL]),
    r#"entrypoint ["tini", "-e", "143", "/usr/share/x/tool"]"#
)]
#[case::two_wrappers(
    image().entrypoint(&["tini", "--", "dumb-init", TOOL]),
    r#"entrypoint ["tini", "--", "dumb-init", "/usr/share/x/tool"]"#
)]
#[case::shell_form(
    image().cmd(&["/bin/sh", "-c", "/usr/share/x/tool --serve"]),
    r#"command ["/bin/sh", "-c", "/usr/share/x/tool --serve"]"#
)]
#[case::shell_form_with_exec(
    image().entrypoint(&["/bin/sh", "-c", "exec /usr/share/x/tool"]),
    r#"entrypoint ["/bin/sh", "-c", "exec /usr/share/x/tool"]"#
)]
#[case::shell_form_with_variables(
    image().cmd(&["/bin/sh", "-c", "test -n \"$A\" && /usr/share/x/tool $A"]),
    r#"command ["/bin/sh", "-c", "test -n \"$A\" && /usr/share/x/tool $A"]"#
)]
#[case::shell_of_a_wrapper(
    image().entrypoint(&["tini", "sh", "-c", "/usr/share/x/tool"]),
    r#"entrypoint ["tini", "sh", "-c", "/usr/share/x/tool"]"#
)]
#[case::name_in_path(image().env("PATH=/usr/share/x").cmd(&["tool"]), r#"command ["tool"], as `tool`"#)]
#[case::relative(image().workdir("/usr/share").entrypoint(&["./x/tool"]), r#"entrypoint ["./x/tool"], as `./x/tool`"#)]
#[case::relative_without_working_directory(
    image().entrypoint(&["usr/share/x/tool"]),
    r#"entrypoint ["usr/share/x/tool"], as `usr/share/x/tool`"#
)]
#[case::link(with(Layer::new().symlink("run", TOOL)).entrypoint(&["/run"]), r#"entrypoint ["/run"], as `/run`"#)]
#[case::chain_of_links(
    with(Layer::new().symlink("a", "b").symlink("b", "/c").symlink("c", "usr/share/../share/x/tool")).entrypoint(&["/a"]),
    r#"entrypoint ["/a"], as `/a`"#
)]
#[case::linked_directory(
    with(Layer::new().symlink("current", "/usr/share/x")).entrypoint(&["/current/tool"]),
    r#"entrypoint ["/current/tool"], as `/current/tool`"#
)]
#[case::path(linked(), "PATH /usr/local/bin, as `tool`")]
#[case::path_directory(image().env("PATH=/usr/share/x"), "PATH /usr/share/x")]
#[case::path_through_a_link(with(Layer::new().symlink("opt", "/usr/share/x")).env("PATH=/opt"), "PATH /opt")]
#[case::path_where_none_is_set(
    Image::new("linux/arm64").layer(Layer::new().program("usr/share/x/tool", Elf::program("amd64").build())
        .symlink("usr/bin/tool", TOOL)),
    "PATH /usr/bin, as `tool`"
)]
#[case::shebang(
    with(Layer::new().program("entry", script(TOOL, "x"))).entrypoint(&["/entry"]),
    "interpreter of /entry"
)]
#[case::shebang_of_a_program_in_path(
    with(Layer::new().program("usr/local/bin/s", script(TOOL, "x"))),
    "interpreter of /usr/local/bin/s"
)]
#[case::interpreter_of_an_interpreter(
    with(Layer::new().program("opt/i", script(TOOL, "x")).program("entry", script("/opt/i", "x"))).entrypoint(&["/entry"]),
    "interpreter of /opt/i"
)]
#[case::env(
    linked().layer(Layer::new().program("entry", script("/usr/bin/env tool", ""))).entrypoint(&["/entry"]),
    "PATH /usr/local/bin, as `tool`"
)]
#[case::loader(
    with(Layer::new().program("app", Elf::program("arm64").interpreter("/lib/ld.so").build()).symlink("lib/ld.so", TOOL))
        .entrypoint(&["/app"]),
    "interpreter of /app"
)]
fn a_program_is_reached_by(#[case] image: Image, #[case] way: &str) {
    let checked = Given::from(image).check();
    let errors: Vec<_> = checked.findings.iter().filter(|f| f.path.as_deref() == Some(TOOL)).collect();
    assert_eq!(
        crate::checked::lines(&checked.findings),
        [format!("error binary/foreign-architecture linux/arm64 {TOOL}")]
    );
    assert_eq!(errors[0].reached_by.as_deref(), Some(way));
}

#[rstest]
#[case::nothing(image())]
#[case::another_entrypoint(image().entrypoint(&["/usr/bin/env"]))]
#[case::other_path(image().env("PATH=/usr/bin"))]
#[case::relative_directory_in_path(image().workdir("/usr/share").env("PATH=x:/usr/bin"))]
#[case::not_executable_in_path(
    with(Layer::new().file("usr/share/x/tool", 0o644, Elf::program("amd64").build()).symlink("usr/local/bin/tool", TOOL))
)]
#[case::below_a_directory_of_path(with(Layer::new().symlink("usr/local/bin/sub/tool", TOOL)))]
#[case::named_in_a_script(with(Layer::new().program("usr/local/bin/s", script("/bin/sh", TOOL))))]
#[case::part_of_an_argument(image().entrypoint(&["/usr/bin/env", "--tool=/usr/share/x/tool"]))]
fn a_program_is_not_reached_by(#[case] image: Image) {
    assert_eq!(Given::from(image).findings(), [format!("note binary/foreign-architecture linux/arm64 {TOOL}")]);
}

/// A loader of a foreign program is not followed: one finding says it all.
#[test]
fn the_loader_of_a_foreign_program_is_not_its_own_finding() {
    let foreign = Elf::glibc("amd64").build();
    let loader = Layer::new().program("lib64/ld-linux-x86-64.so.2", Elf::library("amd64", "ld").build());
    let image =
        Image::new("linux/arm64").layer(Layer::new().program("app", foreign)).layer(loader).entrypoint(&["/app"]);
    let checked = Given::from(image).check();
    let ways: Vec<_> = checked.findings.iter().map(|f| (f.path.as_deref(), f.reached_by.as_deref())).collect();
    assert_eq!(ways, [(Some("/app"), Some(r#"entrypoint ["/app"]"#)), (Some("/lib64/ld-linux-x86-64.so.2"), None)]);
}
