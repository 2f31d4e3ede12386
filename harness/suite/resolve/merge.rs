//! Defaults: maps are merged key by key, a list or a text of the image replaces the default.

use super::super::format::{Metadata, Run, Settings};
use super::super::located::{At, Pairs};

/// The one that is there: the image's own, or the default.
fn own<T: Clone>(own: Option<T>, default: Option<&T>) -> Option<T> {
    own.or_else(|| default.cloned())
}

/// Both, where both are there, merged.
fn merged<T: Clone>(own: Option<T>, default: Option<&T>, merge: impl Fn(T, &T) -> T) -> Option<T> {
    match (own, default) {
        (Some(own), Some(default)) => Some(merge(own, default)),
        (own, default) => own.or_else(|| default.cloned()),
    }
}

impl Settings {
    /// These settings, and what the defaults have besides.
    pub(in crate::suite) fn over(self, defaults: &Self) -> Self {
        Self {
            platforms: own(self.platforms, defaults.platforms.as_ref()),
            exact: self.exact.or(defaults.exact),
            baseline: own(self.baseline, defaults.baseline.as_ref()),
            fail_on: self.fail_on.or(defaults.fail_on),
            allow_foreign: own(self.allow_foreign, defaults.allow_foreign.as_ref()),
            severities: merged(self.severities, defaults.severities.as_ref(), Pairs::over),
            run: merged(self.run, defaults.run.as_ref(), Run::over),
            files: own(self.files, defaults.files.as_ref()),
            metadata: merged(self.metadata, defaults.metadata.as_ref(), |own, default| At {
                value: own.value.over(&default.value),
                place: own.place,
            }),
            structure: own(self.structure, defaults.structure.as_ref()),
        }
    }
}

impl Run {
    fn over(self, defaults: &Self) -> Self {
        Self {
            with: self.with.or(defaults.with),
            cpu: self.cpu.or(defaults.cpu),
            required: self.required.or(defaults.required),
            network: self.network.or(defaults.network),
            timeout: own(self.timeout, defaults.timeout.as_ref()),
            memory: own(self.memory, defaults.memory.as_ref()),
            processes: own(self.processes, defaults.processes.as_ref()),
            temporary: own(self.temporary, defaults.temporary.as_ref()),
            commands: own(self.commands, defaults.commands.as_ref()),
        }
    }
}

impl Metadata {
    fn over(self, defaults: &Self) -> Self {
        Self {
            entrypoint: own(self.entrypoint, defaults.entrypoint.as_ref()),
            command: own(self.command, defaults.command.as_ref()),
            env: merged(self.env, defaults.env.as_ref(), Pairs::over),
            labels: merged(self.labels, defaults.labels.as_ref(), Pairs::over),
            user: own(self.user, defaults.user.as_ref()),
            workdir: own(self.workdir, defaults.workdir.as_ref()),
            ports: own(self.ports, defaults.ports.as_ref()),
            not_ports: own(self.not_ports, defaults.not_ports.as_ref()),
            volumes: own(self.volumes, defaults.volumes.as_ref()),
            not_volumes: own(self.not_volumes, defaults.not_volumes.as_ref()),
        }
    }
}

impl<V: Clone> Pairs<V> {
    /// The default's pairs whose keys are not here, then these.
    fn over(self, defaults: &Self) -> Self {
        let own: std::collections::HashSet<&str> = self.0.iter().map(|(key, _)| key.value.as_str()).collect();
        let mut pairs: Vec<_> =
            defaults.0.iter().filter(|(key, _)| !own.contains(key.value.as_str())).cloned().collect();
        pairs.extend(self.0);
        Self(pairs)
    }
}
