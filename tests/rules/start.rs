//! `binary/entrypoint-missing` and `binary/entrypoint-not-executable`.

use super::scratch;
use mpcheck_kit::elf::Elf;
use mpcheck_kit::files::script;
use mpcheck_kit::image::Image;
use mpcheck_kit::incidents::windows;
use mpcheck_kit::layer::Layer;
use mpcheck_kit::pe;

const MISSING: &str = "error binary/entrypoint-missing linux/arm64";

/// Native programs, a file that nobody may execute, and links of all kinds.
fn base() -> Image {
    let program = |salt: &str| Elf::program("arm64").salt(salt).build();
    Image::new("linux/arm64").layer(
        Layer::new()
            .dirs(&["usr", "usr/bin", "srv", "srv/bin", "data", "sbin"])
            .symlink("bin", "usr/bin")
            .program("usr/bin/sh", program("sh"))
            .program("sbin/tini", program("tini"))
            .program("srv/bin/app", program("app"))
            .program("srv/my app", program("my app"))
            .file("srv/plain", 0o644, program("plain"))
            .file("srv/only-group", 0o610, program("group"))
            .symlink("to-app", "srv/bin/app")
            .symlink("to-plain", "srv/plain")
            .symlink("dangling", "srv/nothing")
            .symlink("loop", "pool")
            .symlink("pool", "loop")
            .fifo("srv/pipe"),
    )
}

fn starts(words: &[&str]) -> Image {
    base().entrypoint(words)
}

rows! {
    ENTRYPOINT_MISSING {
        absolute: starts(&["/srv/bin/apps"]) => [MISSING];
        absent_directory: starts(&["/opt/app"]) => [MISSING];
        command: base().cmd(&["/srv/bin/apps"]) => [MISSING];
        not_in_path: starts(&["app"]) => [MISSING];
        not_in_this_path: starts(&["sh"]).env("PATH=/srv/bin") => [MISSING];
        relative_from_the_root: starts(&["./app"]) => [MISSING];
        relative_from_elsewhere: starts(&["bin/app"]).workdir("/data") => [MISSING];
        dangling_link: starts(&["/dangling"]) => [MISSING];
        loop_of_links: starts(&["/loop"]) => [MISSING];
        below_a_file: starts(&["/srv/bin/app/app"]) => [MISSING];
        removed_in_a_later_layer: starts(&["/srv/bin/app"]).layer(Layer::new().whiteout("srv/bin/app")) => [MISSING];
        hidden_in_a_later_layer: starts(&["/srv/bin/app"]).layer(Layer::new().opaque("srv/bin")) => [MISSING];
        behind_a_wrapper: starts(&["/sbin/tini", "--", "/srv/bin/apps"]) => [MISSING];
        behind_a_shell: base().cmd(&["/bin/sh", "-c", "/srv/bin/apps --serve"]) => [MISSING];
        shell_itself: Image::new("linux/arm64").layer(Layer::new().program("app", Elf::program("arm64").build()))
            .cmd(&["/bin/sh", "-c", "/app"]) => [MISSING];
        command_line_in_one_word: starts(&["/srv/bin/app --serve"]) => [MISSING];
        image_without_layers: Image::new("linux/arm64").entrypoint(&["/app"]) => [MISSING];
        in_a_volume: starts(&["/data/app"]).volume("/data") => ["warning binary/entrypoint-missing linux/arm64"];
        relative_in_a_volume: starts(&["./app"]).workdir("/data/x").volume("/data/")
            => ["warning binary/entrypoint-missing linux/arm64"];
        beside_a_volume: starts(&["/database/app"]).volume("/data") => [MISSING];

        there: starts(&["/srv/bin/app"]) => [];
        in_path: starts(&["app"]).env("PATH=/nothing:/srv/bin") => [];
        in_the_path_that_docker_sets: starts(&["sh"]) => [];
        relative: starts(&["./bin/app"]).workdir("/srv") => [];
        relative_with_dots: starts(&["../srv/bin/app"]).workdir("/usr") => [];
        linked: starts(&["/to-app"]) => [];
        in_a_linked_directory: starts(&["/bin/sh"]) => [];
        name_with_a_blank: starts(&["/srv/my app"]) => [];
        no_entrypoint: base() => [];
        empty_word: starts(&[""]) => [];
        builtin_of_the_shell: base().cmd(&["/bin/sh", "-c", "cd /srv"]) => [];
        argument_that_is_no_file: starts(&["/srv/bin/app", "/etc/missing.conf"]) => [];
        command_that_is_an_argument: starts(&["/srv/bin/app"]).cmd(&["serve"]) => [];
        shell_with_operators: base().cmd(&["/bin/sh", "-c", "/srv/bin/apps || exit 0"]) => [];
        of_windows: windows("windows/amd64", pe::AMD64).entrypoint(&["nothing.exe"]) => [];
    }
    ENTRYPOINT_NOT_EXECUTABLE {
        mode: starts(&["/srv/plain"]) => ["error binary/entrypoint-not-executable linux/arm64 /srv/plain"];
        mode_behind_a_link: starts(&["/to-plain"]) => ["error binary/entrypoint-not-executable linux/arm64 /srv/plain"];
        mode_in_path: starts(&["plain"]).env("PATH=/srv")
            => ["error binary/entrypoint-not-executable linux/arm64 /srv/plain"];
        directory: starts(&["/srv/bin"]) => ["error binary/entrypoint-not-executable linux/arm64 /srv/bin"];
        root_directory: starts(&["/"]) => ["error binary/entrypoint-not-executable linux/arm64 /"];
        pipe: starts(&["/srv/pipe"]) => ["error binary/entrypoint-not-executable linux/arm64 /srv/pipe"];
        script_without_mode: base().layer(Layer::new().file("entry.sh", 0o644, script("/bin/sh", "")))
            .entrypoint(&["/entry.sh"]) => ["error binary/entrypoint-not-executable linux/arm64 /entry.sh"];
        behind_a_wrapper_too: starts(&["/sbin/tini", "--", "/srv/plain"])
            => ["error binary/entrypoint-not-executable linux/arm64 /srv/plain"];
        in_a_volume_too: base().layer(Layer::new().file("data/app", 0o644, "x")).volume("/data").entrypoint(&["/data/app"])
            => ["warning binary/entrypoint-not-executable linux/arm64 /data/app"];
        executable: scratch("linux/arm64") => [];
        executable_for_some: starts(&["/srv/only-group"]) => [];
        executable_later_in_path: starts(&["sh"]).layer(Layer::new().file("srv/sh", 0o644, "x")).env("PATH=/srv:/usr/bin")
            => [];
        made_executable_in_a_later_layer: starts(&["/srv/plain"])
            .layer(Layer::new().program("srv/plain", Elf::program("arm64").build())) => [];
        plain_file_as_argument: starts(&["/srv/bin/app", "/srv/plain"]) => [];
    }
}
