//! What files and the config should be.

use super::super::error::shown;
use super::super::format::{File, Kind, Metadata, Told, Value};
use super::super::located::{At, Pairs, Texts};
use super::super::name::{Wish, made_of};
use super::super::plan::{FileKind, FilePlan, MetadataPlan, ValuePlan};
use super::super::value;
use super::Resolver;

/// The word for a variable or a label that should not be there.
const ABSENT: &str = "absent";

impl Resolver<'_> {
    pub(super) fn files(&mut self, files: Option<&Vec<File>>) -> Vec<FilePlan> {
        let files = files.map(Vec::as_slice).unwrap_or_default();
        let mut plans = Vec::with_capacity(files.len());
        let mut wishes = Vec::with_capacity(files.len());
        for file in files {
            let plan = self.file(file);
            wishes.push(Wish {
                given: self.name(file.name.as_ref()),
                made: vec![made_of(&plan.path)],
                place: file.path.place,
            });
            plans.push(plan);
        }
        let names = self.distinct("files of an image", &wishes, true);
        for (plan, name) in plans.iter_mut().zip(names) {
            plan.name = name;
        }
        plans
    }

    fn file(&mut self, file: &File) -> FilePlan {
        self.check_file(file);
        let path = self.one(Some(&file.path), |path| value::absolute(path).map(|()| path.to_owned()));
        let (user, group) = self.one(file.owner.as_ref(), value::owner).unzip();
        let target = file.target.as_ref().and_then(|target| self.text(target)).map(|target| target.value);
        FilePlan {
            name: String::new(),
            path: path.unwrap_or_default(),
            exists: file.exists.as_ref().is_none_or(|exists| exists.value),
            // Only a link leads anywhere.
            kind: file.kind.map(FileKind::from).or(target.as_ref().map(|_| FileKind::Symlink)),
            mode: self.one(file.mode.as_ref(), value::mode),
            user,
            group: group.flatten(),
            executable: file.executable,
            target,
            content: self.byte_patterns(file.content.as_ref()),
            not_content: self.byte_patterns(file.not_content.as_ref()),
            platforms: self.platforms_of_image(file.platforms.as_ref()),
            exceptions: self.exceptions(file.exceptions.as_ref()),
            line: file.path.place.line,
        }
    }

    /// Whether what is said of a file can all be true.
    fn check_file(&mut self, file: &File) {
        let place = file.path.place;
        let has_content = file.content.is_some() || file.not_content.is_some();
        let is_described = has_content
            || file.kind.is_some()
            || file.mode.is_some()
            || file.owner.is_some()
            || file.executable.is_some()
            || file.target.is_some();
        if let Some(exists) = file.exists.as_ref().filter(|exists| !exists.value && is_described) {
            let hint = "leave out `exists: false`, or all that is said of the file besides";
            self.wrong(exists.place, "a file that should not be there has no type, mode, owner or content", hint);
        }
        if let (Some(target), Some(Kind::File | Kind::Directory)) = (&file.target, file.kind) {
            self.wrong(target.place, "only a symlink has a target", "write `type: symlink`, or leave `target:` out");
        }
        if has_content && matches!(file.kind, Some(Kind::Directory)) {
            self.wrong(place, "a directory has no content to look at", "name a file in it, or leave `content:` out");
        }
    }

    pub(super) fn metadata(&mut self, written: &At<Metadata>) -> MetadataPlan {
        let metadata = &written.value;
        if metadata.says_nothing() {
            let hint = "write what it should be, as `user: \"1000\"`, or leave `metadata:` out";
            self.wrong(written.place, "nothing is said here of the image's config, so nothing would be checked", hint);
        }
        let plain = |text: &At<String>| text.value.clone();
        let environment = self.keyed(metadata.env.as_ref());
        for (key, _) in &environment {
            self.variable_name(key);
        }
        let labels = self.keyed(metadata.labels.as_ref());
        let path = |path: &str| value::absolute(path).map(|()| path.to_owned());
        MetadataPlan {
            entrypoint: self.exact_words(metadata.entrypoint.as_ref()),
            command: self.exact_words(metadata.command.as_ref()),
            environment: self.values(environment),
            labels: self.values(labels),
            user: metadata.user.as_ref().and_then(|user| self.text(user)).as_ref().map(plain),
            working_directory: metadata.workdir.as_ref().and_then(|path| self.text(path)).as_ref().map(plain),
            ports: self.bare(metadata.ports.as_ref(), value::port),
            not_ports: self.bare(metadata.not_ports.as_ref(), value::port),
            volumes: self.bare(metadata.volumes.as_ref(), path),
            not_volumes: self.bare(metadata.not_volumes.as_ref(), path),
        }
    }

    fn bare(&mut self, texts: Option<&Texts>, meaning: impl Fn(&str) -> Result<String, value::Wrong>) -> Vec<String> {
        self.each(texts, meaning).into_iter().map(|(text, _)| text).collect()
    }

    fn exact_words(&mut self, words: Option<&Vec<At<String>>>) -> Option<Vec<String>> {
        words.map(|words| words.iter().filter_map(|word| self.text(word)).map(|word| word.value).collect())
    }

    fn values(&mut self, pairs: Vec<(At<String>, &Value)>) -> Vec<(String, ValuePlan)> {
        let mut values = Vec::new();
        for (key, value) in pairs {
            let plan = match value {
                Value::Text(text) if text.value == ABSENT => Some(ValuePlan::Absent),
                Value::Text(text) => self.text(text).map(|text| ValuePlan::Exact(text.value)),
                Value::Told(told) => self.told(&key, told),
            };
            values.extend(plan.map(|plan| (key.value, plan)));
        }
        values
    }

    fn told(&mut self, key: &At<String>, told: &Told) -> Option<ValuePlan> {
        match (&told.matches, &told.is, &told.absent) {
            (Some(pattern), None, None) => {
                let text = self.text(pattern)?;
                self.pattern(&text).map(ValuePlan::Matches)
            }
            (None, Some(text), None) => self.text(text).map(|text| ValuePlan::Exact(text.value)),
            (None, None, Some(absent)) if absent.value => Some(ValuePlan::Absent),
            _ => {
                let message = format!("`{}` says not what it should be", shown(&key.value));
                self.wrong(key.place, message, "write a text, {matches: REGEX}, {is: TEXT} or {absent: true}");
                None
            }
        }
    }
}

impl Metadata {
    /// Whether nothing would be looked at. An entrypoint and a command of no words are something: there should be none.
    fn says_nothing(&self) -> bool {
        let has_pairs = |pairs: Option<&Pairs<Value>>| pairs.is_some_and(|pairs| !pairs.0.is_empty());
        let lists = [&self.ports, &self.not_ports, &self.volumes, &self.not_volumes];
        let said = self.entrypoint.is_some()
            || self.command.is_some()
            || self.user.is_some()
            || self.workdir.is_some()
            || has_pairs(self.env.as_ref())
            || has_pairs(self.labels.as_ref())
            || lists.iter().any(|texts| texts.as_ref().is_some_and(|texts| !texts.as_slice().is_empty()));
        !said
    }
}

impl From<Kind> for FileKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::File => Self::File,
            Kind::Directory => Self::Directory,
            Kind::Symlink => Self::Symlink,
        }
    }
}
