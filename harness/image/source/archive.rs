//! Image archives: an OCI layout in a tar, `docker save`'s old form, or both in one file.

use super::archive_file::{ArchiveFile, TarError};
use super::docker_archive::{DockerArchive, listed_blobs, saved_images};
use super::files::Files;
use super::layout::{Layout, Place};
use super::partial::Partial;
use super::spool::{MAX_SPOOLED_BYTES, Spool};
use super::{Source, SourceError};
use crate::image::archive_format::{ArchiveFormat, SNIFFED_BYTES};
use crate::image::reference::name::shown;
use crate::image::reference::{ArchiveForm, Selector};
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;

const CUT_SHORT: &str = "the copy was interrupted or the disk was full: save or copy it again";

/// Who left platforms out of an archive, and how to get them.
pub(super) struct Holder {
    pub(super) name: String,
    pub(super) hint: String,
}

/// Opens an archive file, which is unpacked into `temporary` first where it is compressed.
pub(super) fn open_archive(
    path: &Path,
    selector: Option<&Selector>,
    form: ArchiveForm,
    temporary: &Path,
) -> Result<Box<dyn Source>, SourceError> {
    let shown_path = shown(&path.to_string_lossy());
    let unreadable = |e: io::Error| SourceError::Invalid {
        what: format!("the archive {shown_path}"),
        why: e.to_string(),
        hint: "check the path and its permissions".to_owned(),
    };
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(unreadable(io::Error::other("it is no regular file")));
    }
    let file = unpacked(File::open(path).map_err(unreadable)?, &shown_path, temporary)?;
    let transport = match form {
        ArchiveForm::Docker => "docker-archive",
        ArchiveForm::Oci | ArchiveForm::Any => "oci-archive",
    };
    let place = Place { name: format!("archive {shown_path}"), address: Some(format!("{transport}:{shown_path}")) };
    let holder = Holder {
        name: "`docker save` wrote only the platforms that the engine held: the archive".to_owned(),
        hint: "check the registry's image, or `docker pull --platform OS/ARCH` the others and save again".to_owned(),
    };
    open_file(file, place, selector, form, holder)
}

/// Opens the image in a plain tar.
pub(super) fn open_file(
    file: File,
    place: Place,
    selector: Option<&Selector>,
    form: ArchiveForm,
    holder: Holder,
) -> Result<Box<dyn Source>, SourceError> {
    let files = ArchiveFile::scan(file).map_err(|e| broken_tar(&place, &e))?;
    let layout = files.contains("oci-layout") || files.contains("index.json");
    let saved = files.contains("manifest.json");
    match form {
        ArchiveForm::Oci if !layout => return Err(place.wrong_form("oci-layout", saved, "docker-archive")),
        ArchiveForm::Docker if !saved => return Err(place.wrong_form("manifest.json", layout, "oci-archive")),
        _ => {}
    }
    match (layout, saved) {
        (true, true) => open_both(files, place, selector, holder),
        (true, false) => Ok(Box::new(Layout::open(files, place, selector, None)?)),
        (false, true) => Ok(Box::new(DockerArchive::open(files, docker_place(place), selector)?)),
        // The lists come last in archives of `docker save`: a copy that was cut short has none.
        (false, false) if !files.has_end_mark() && files.count() > 0 => Err(SourceError::Invalid {
            what: place.name,
            why: "it is cut short: it ends without a tar's end mark, and without an oci-layout or a manifest.json".to_owned(),
            hint: CUT_SHORT.to_owned(),
        }),
        (false, false) => Err(SourceError::Invalid {
            why: format!("its {} members have neither an oci-layout nor a manifest.json among them", files.count()),
            what: place.name,
            hint: "it is a tar, and of no image: one comes from `docker save` or `docker buildx build --output type=oci,dest=FILE`"
                .to_owned(),
        }),
    }
}

/// Docker 25 and later write both forms; the layout says more, and the tags are in both.
fn open_both(
    files: ArchiveFile,
    place: Place,
    selector: Option<&Selector>,
    holder: Holder,
) -> Result<Box<dyn Source>, SourceError> {
    // A manifest.json of another shape is some other file, and the layout is an ordinary one.
    let listed = saved_images(&files, &place).ok().map(|images| listed_blobs(&images));
    let partial = listed.map(|listed| Partial::new(listed, holder.name, holder.hint));
    Ok(Box::new(Layout::open(files, place, selector, partial)?))
}

/// What to type for one of the images of the old form.
fn docker_place(place: Place) -> Place {
    let address = place.address.map(|a| a.replacen("oci-archive:", "docker-archive:", 1));
    Place { name: place.name, address }
}

impl Place {
    fn wrong_form(&self, missing: &str, other_is_there: bool, other: &str) -> SourceError {
        let path = self.address.as_deref().and_then(|a| a.split_once(':')).map_or("FILE", |(_, path)| path);
        SourceError::Invalid {
            what: self.name.clone(),
            why: format!("it has no {missing}"),
            hint: if other_is_there {
                format!("write `{other}:{path}`, or the path alone")
            } else {
                "it is a tar, and of no image: one comes from `docker save` or `docker buildx build --output type=oci,dest=FILE`"
                    .to_owned()
            },
        }
    }
}

fn broken_tar(place: &Place, error: &TarError) -> SourceError {
    let hint = match error {
        TarError::Truncated { .. } => CUT_SHORT,
        TarError::TooMany => "a root filesystem's tar is no image: `docker import` makes one of it",
        TarError::Read { .. } => "the disk or network below the file fails: copy it elsewhere",
        TarError::NoHeader { .. } | TarError::BadHeader { .. } => "save or copy it again",
    };
    SourceError::Invalid { what: place.name.clone(), why: error.to_string(), hint: hint.to_owned() }
}

/// The plain tar in a file that may be compressed.
fn unpacked(mut file: File, path: &str, temporary: &Path) -> Result<File, SourceError> {
    let broken = |e: io::Error| SourceError::Invalid {
        what: format!("the archive {path}"),
        why: format!("it cannot be unpacked: {e}"),
        hint: "save or copy it again".to_owned(),
    };
    let mut start = Vec::with_capacity(SNIFFED_BYTES);
    (&mut file).take(SNIFFED_BYTES as u64).read_to_end(&mut start).map_err(broken)?;
    file.rewind().map_err(broken)?;
    let mut reader: Box<dyn Read> = match ArchiveFormat::of(&start) {
        Some(ArchiveFormat::Gzip) => Box::new(flate2::read::MultiGzDecoder::new(io::BufReader::new(file))),
        Some(ArchiveFormat::Zstd) => Box::new(zstd::Decoder::new(file).map_err(broken)?),
        Some(format @ (ArchiveFormat::Xz | ArchiveFormat::Bzip2)) => {
            let program = if format == ArchiveFormat::Xz { "xz" } else { "bzip2" };
            return Err(SourceError::Invalid {
                what: format!("the archive {path}"),
                why: format!("it is compressed with {}, and gzip and zstd are read", format.name()),
                hint: format!("decompress it first: `{program} -dk {path}`"),
            });
        }
        Some(ArchiveFormat::Tar) | None => return Ok(file),
    };
    // A bomb that holds no tar is seen before it fills the disk.
    let mut first = Vec::with_capacity(SNIFFED_BYTES);
    (&mut reader).take(SNIFFED_BYTES as u64).read_to_end(&mut first).map_err(broken)?;
    if ArchiveFormat::of(&first) != Some(ArchiveFormat::Tar) || first.iter().all(|b| *b == 0) {
        return Err(broken(io::Error::other("there is no tar in it")));
    }
    let mut spool = Spool::new(temporary, format!("the unpacked archive {path}"), MAX_SPOOLED_BYTES)?;
    spool.write(&first)?;
    spool.fill(&mut reader, broken)
}

#[cfg(test)]
mod tests;
