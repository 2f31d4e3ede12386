//! The images of `make demo`. Their program is mpcheck's probe, which runs on every platform and exits with 42.

use mpcheck::platform::Architecture;
use mpcheck::probe::probe;
use mpcheck_kit::elf;
use mpcheck_kit::image::Image;
use mpcheck_kit::index::Index;
use mpcheck_kit::layer::Layer;
use std::io;
use std::path::Path;

/// `movw r0, #0; movw r7, #1; svc 0`: exit(0), with an instruction that came after ARMv6 (ARM DDI 0406C, A8.8.102).
const ARMV7_EXIT: [u8; 12] = [0x00, 0x00, 0x00, 0xe3, 0x01, 0x70, 0x00, 0xe3, 0x00, 0x00, 0x00, 0xef];

/// Writes an image that is right; one with the program of another architecture, which any test on the build machine
/// would have passed; and one whose program is too new for its platform's processors.
pub(super) fn write(directory: &Path) -> io::Result<()> {
    let good = ["amd64", "arm64", "riscv64"].map(|name| application(&format!("linux/{name}"), probed(name)));
    let broken = [("amd64", "amd64"), ("arm64", "amd64"), ("riscv64", "riscv64")]
        .map(|(platform, program)| application(&format!("linux/{platform}"), probed(program)));
    let too_new = application("linux/arm/v6", elf::instructions("arm/v7", &ARMV7_EXIT));
    let images: [(&str, Vec<Image>); 3] =
        [("good", good.into()), ("broken", broken.into()), ("too-new", vec![too_new])];
    for (name, images) in images {
        Index::new().images(images).forge().write_layout(&directory.join(name), Some(name))?;
    }
    Ok(())
}

fn probed(architecture: &str) -> Vec<u8> {
    Architecture::by_name(architecture).and_then(probe).unwrap_or_default()
}

fn application(platform: &str, program: Vec<u8>) -> Image {
    Image::new(platform)
        .layer(Layer::new().program("usr/local/bin/app", program))
        .env("PATH=/usr/local/bin:/usr/bin:/bin")
        .entrypoint(&["/usr/local/bin/app"])
}
