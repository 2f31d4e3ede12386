//! Where in the Dockerfile the instruction of a finding stands.

use super::dockerfile::Wanted;
use crate::build::dockerfile::{Dockerfile, Scope};
use mpcheck_reports::Finding;

/// Puts the place before the instruction of each finding whose layer this Dockerfile made: `Dockerfile:7: COPY app /app`.
/// One that is a base image's, or could be of two places, stays as it is.
pub fn place(findings: &mut [Finding], dockerfile: &Dockerfile, name: &str, wanted: &Wanted) {
    for platform in &wanted.platforms {
        let scope = Scope { target: platform, build: &wanted.build_platform, build_args: &wanted.build_args };
        let Ok(built) = dockerfile.built(wanted.target.as_deref(), &scope) else { continue };
        let of_platform = platform.to_string();
        let brought = findings.iter_mut().filter(|finding| {
            finding.layer.is_some() && finding.platform.as_deref().is_some_and(|platform| platform == of_platform)
        });
        for finding in brought {
            if let Some(instruction) = &mut finding.instruction
                && let Some(line) = built.line_of(instruction)
            {
                *instruction = format!("{name}:{line}: {instruction}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::draft::Draft;
    use crate::check::rule;
    use crate::platform::Platform;
    use mpcheck_reports::LayerRef;
    use std::collections::BTreeMap;

    fn finding(platform: &str, instruction: &str) -> Finding {
        let mut finding = Draft::new(&rule::FOREIGN_ARCHITECTURE, "", "").instruction(instruction).done();
        finding.platform = Some(platform.to_owned());
        finding.layer = Some(LayerRef { index: 0, digest: String::new() });
        finding
    }

    #[test]
    fn a_layers_instruction_gets_its_line_and_a_bases_does_not() {
        let dockerfile =
            Dockerfile::parse(b"FROM base\nARG TARGETARCH\nCOPY app-$TARGETARCH /app\nRUN make\n").unwrap();
        let platforms = ["linux/amd64", "linux/arm64"].map(|text| Platform::parse(text).unwrap());
        let wanted = Wanted {
            build_platform: platforms[0].clone(),
            platforms: platforms.to_vec(),
            target: None,
            build_args: BTreeMap::new(),
        };
        let mut findings = [
            finding("linux/arm64", "COPY app-arm64 /app"),
            finding("linux/amd64", "RUN |1 TARGETARCH=amd64 /bin/sh -c make"),
            finding("linux/arm64", "RUN apt-get install x"),
            finding("linux/s390x", "COPY app-s390x /app"),
        ];
        place(&mut findings, &dockerfile, "docker/Dockerfile", &wanted);
        let told = findings.map(|finding| finding.instruction.unwrap());
        let wanted = [
            "docker/Dockerfile:3: COPY app-arm64 /app",
            "docker/Dockerfile:4: RUN |1 TARGETARCH=amd64 /bin/sh -c make",
            "RUN apt-get install x",
            "COPY app-s390x /app",
        ];
        assert_eq!(told, wanted);
    }
}
