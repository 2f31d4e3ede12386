//! The suite of a release: each image, platform and check is a test.

fn main() -> std::process::ExitCode {
    mpcheck::suite::main(["suites/release.yaml"])
}
