#!/usr/bin/env python3
"""Writes container images made of Debian packages as OCI image layouts. Standard library only.

    layout.py make DIRECTORY <SPEC.json    write a layout: blobs, configs, manifests, index
    layout.py archive DIRECTORY NAME       the layout as a tar stream that `docker load` (containerd
                                           image store) and skopeo's oci-archive read, named NAME

A SPEC is {"tag", "compression": "gzip|zstd", "platforms": [PLATFORM..]}.
A PLATFORM is {"os", "architecture", "variant"?, "config": the image's runtime settings, "layers"}.
A LAYER is {"created_by", "entries"?: [ENTRY..], "packages"?: [.deb files], "only"?: [path prefixes],
"exclude"?: [path prefixes]}, or {"created_by", "empty": true}: a line of history without a layer.
An ENTRY is {"path", "directory": true | "symlink": target | "text": contents, "mode"?}; it comes
before the packages' files, and in place of theirs of the same path.
The same packages and SPEC always give the same bytes.
"""

import concurrent.futures
import datetime
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile

# No clock: Debian 13's release day. Files of packages keep the times they have there.
CREATED = datetime.datetime(2025, 8, 9, tzinfo=datetime.timezone.utc)
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+"
# A fixed number of threads, since pigz writes other bytes with one thread than with more.
COMPRESSORS = {"gzip": ["pigz", "-6", "-n", "-p2"], "zstd": ["zstd", "-q", "-3", "-T2"]}
# What Debian merged into /usr; a few packages still name the old place.
MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libo32", "libx32")


class Hashed(io.RawIOBase):
    """Passes what is written on to a stream, and hashes it."""

    def __init__(self, stream):
        self.stream = stream
        self.sha256 = hashlib.sha256()

    def writable(self):
        return True

    def write(self, data):
        self.sha256.update(data)
        self.stream.write(data)
        return len(data)


def merged_path(path):
    """The path in a root whose /bin, /lib and so on are links into /usr."""
    path = path.lstrip("./")
    first, slash, _ = path.partition("/")
    return "usr/" + path if slash and first in MERGED else path


def wanted(path, layer):
    if any(path.startswith(prefix) for prefix in layer.get("exclude", [])):
        return False
    return "only" not in layer or any(path.startswith(prefix) for prefix in layer["only"])


def add_package(out, package, layer, seen):
    """Copies a .deb's files into the layer."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as unpack:
        with tarfile.open(fileobj=unpack.stdout, mode="r|") as members:
            for member in members:
                member.name = merged_path(member.name)
                if member.islnk():
                    member.linkname = merged_path(member.linkname)
                if not member.name or member.name in seen or not wanted(member.name, layer):
                    continue
                if member.isdir() and member.name in MERGED:
                    continue  # base-files has the link
                seen.add(member.name)
                member.pax_headers = {}
                out.addfile(member, members.extractfile(member) if member.isreg() else None)
    if unpack.returncode != 0:
        raise SystemExit(f"layout.py: cannot unpack {package}")


def add_entry(out, entry, seen):
    seen.add(entry["path"])
    member = tarfile.TarInfo(entry["path"])
    member.uname = member.gname = "root"
    member.mtime = int(CREATED.timestamp())
    member.mode = int(entry.get("mode", "0755" if "directory" in entry else "0644"), 8)
    data = b""
    if "directory" in entry:
        member.type = tarfile.DIRTYPE
    elif "symlink" in entry:
        member.type, member.linkname, member.mode = tarfile.SYMTYPE, entry["symlink"], 0o777
    else:
        data = entry["text"].encode()
        member.size = len(data)
    out.addfile(member, io.BytesIO(data) if data else None)


def by_name(package):
    """base-files first: it brings the links of the merged /usr that all others rely on."""
    name = os.path.basename(package)
    return (not name.startswith("base-files_"), name)


def write_layer(directory, layer, compression, name):
    """Writes one layer's blob; returns its descriptor and its diff_id."""
    temporary = os.path.join(directory, f".layer-{name}")
    with open(temporary, "wb") as blob:
        with subprocess.Popen(COMPRESSORS[compression], stdin=subprocess.PIPE, stdout=blob) as compressor:
            plain = Hashed(compressor.stdin)
            with tarfile.open(fileobj=plain, mode="w|", format=tarfile.PAX_FORMAT) as out:
                seen = set()
                for entry in layer.get("entries", []):
                    add_entry(out, entry, seen)
                for package in sorted(layer.get("packages", []), key=by_name):
                    add_package(out, package, layer, seen)
            compressor.stdin.close()
    if compressor.returncode != 0:
        raise SystemExit(f"layout.py: {COMPRESSORS[compression][0]} failed")
    digest = hashlib.sha256()
    with open(temporary, "rb") as blob:
        while block := blob.read(1 << 20):
            digest.update(block)
    size = os.path.getsize(temporary)
    os.rename(temporary, os.path.join(directory, "blobs/sha256", digest.hexdigest()))
    descriptor = {"mediaType": LAYER + compression, "digest": "sha256:" + digest.hexdigest(), "size": size}
    return descriptor, "sha256:" + plain.sha256.hexdigest()


def write_json(directory, media_type, value):
    data = json.dumps(value, indent=2).encode()
    digest = hashlib.sha256(data).hexdigest()
    with open(os.path.join(directory, "blobs/sha256", digest), "wb") as blob:
        blob.write(data)
    return {"mediaType": media_type, "digest": "sha256:" + digest, "size": len(data)}


def write_platform(directory, spec, compression, layers):
    created = CREATED.strftime("%Y-%m-%dT%H:%M:%SZ")
    platform = {key: spec[key] for key in ("architecture", "os", "variant") if key in spec}
    history = []
    for layer in spec["layers"]:
        history.append({"created": created, "created_by": layer["created_by"], "comment": "buildkit.dockerfile.v0"})
        if layer.get("empty"):
            history[-1]["empty_layer"] = True
    config = write_json(directory, CONFIG, {
        "created": created,
        **platform,
        "config": spec["config"],
        "rootfs": {"type": "layers", "diff_ids": [diff_id for _, diff_id in layers]},
        "history": history,
    })
    manifest = write_json(directory, MANIFEST, {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config,
        "layers": [descriptor for descriptor, _ in layers],
    })
    return {**manifest, "platform": platform}


def make(directory, spec):
    os.makedirs(os.path.join(directory, "blobs/sha256"))
    with concurrent.futures.ProcessPoolExecutor() as pool:
        pending = [
            [pool.submit(write_layer, directory, layer, spec["compression"], f"{nth}-{number}")
             for number, layer in enumerate(platform["layers"]) if not layer.get("empty")]
            for nth, platform in enumerate(spec["platforms"])
        ]
        layers = [[layer.result() for layer in platform] for platform in pending]
    manifests = [
        write_platform(directory, platform, spec["compression"], its_layers)
        for platform, its_layers in zip(spec["platforms"], layers)
    ]
    index = write_json(directory, INDEX, {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests})
    write_top(directory, {**index, "annotations": {"org.opencontainers.image.ref.name": spec["tag"]}})


def write_top(directory, descriptor):
    with open(os.path.join(directory, "oci-layout"), "w", encoding="utf-8") as top:
        json.dump({"imageLayoutVersion": "1.0.0"}, top)
    with open(os.path.join(directory, "index.json"), "w", encoding="utf-8") as top:
        json.dump({"schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor]}, top, indent=2)


def archive(directory, name):
    with open(os.path.join(directory, "index.json"), encoding="utf-8") as top:
        index = json.load(top)
    for descriptor in index["manifests"]:
        # containerd takes the whole name from its own annotation, and the tag from the standard one.
        descriptor["annotations"] = {
            "io.containerd.image.name": name,
            "org.opencontainers.image.ref.name": name.rpartition(":")[2],
        }
    data = json.dumps(index, indent=2).encode()
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as out:
        top = tarfile.TarInfo("index.json")
        top.size = len(data)
        out.addfile(top, io.BytesIO(data))
        for part in ("oci-layout", "blobs"):
            out.add(os.path.join(directory, part), part)


def main():
    match sys.argv[1:]:
        case ["make", directory]:
            make(directory, json.load(sys.stdin))
        case ["archive", directory, name]:
            archive(directory, name)
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
