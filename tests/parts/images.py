#!/usr/bin/env python3
"""What the test and benchmark images consist of: their packages, layers and settings.

    images.py architectures IMAGE        Debian's names of its architectures, one a line
    images.py sets IMAGE DIRECTORY       write DIRECTORY/SET.names: the packages to get, for each layer
    images.py spec IMAGE COMPRESSION LISTS     the SPEC for layout.py, with the packages' files read
                                               from LISTS/ARCHITECTURE/SET.debs
"""

import json
import os
import subprocess
import sys

PLATFORMS = {
    "amd64": {"os": "linux", "architecture": "amd64"},
    "arm64": {"os": "linux", "architecture": "arm64"},
    "armhf": {"os": "linux", "architecture": "arm", "variant": "v7"},
    "i386": {"os": "linux", "architecture": "386"},
    "ppc64el": {"os": "linux", "architecture": "ppc64le"},
    "riscv64": {"os": "linux", "architecture": "riscv64"},
    "s390x": {"os": "linux", "architecture": "s390x"},
}
SEVEN = list(PLATFORMS)
TWO = ["amd64", "arm64"]
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# What slim images leave out too. The trials read every byte, and these tell them nothing.
DOCUMENTATION = ["usr/share/doc/", "usr/share/man/", "usr/share/info/", "usr/share/locale/", "usr/share/lintian/"]
MINBASE = "?essential ~prequired apt"

# Packages are unpacked, not installed, so what their scripts would have made is written here.
ACCOUNTS = [
    {"path": "etc", "directory": True},
    {"path": "etc/passwd", "text": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"},
    {"path": "etc/group", "text": "root:x:0:\nnogroup:x:65534:\n"},
    {"path": "root", "directory": True, "mode": "0700"},
    {"path": "tmp", "directory": True, "mode": "1777"},
]


def applets(packages):
    """The names that busybox answers to. Only this machine's own busybox can be asked."""
    unpack = subprocess.run(["dpkg-deb", "--fsys-tarfile", packages[0]], stdout=subprocess.PIPE, check=True)
    member = subprocess.run(["tar", "-xOf-", "./usr/bin/busybox"], input=unpack.stdout, stdout=subprocess.PIPE, check=True)
    program = os.memfd_create("busybox")
    os.write(program, member.stdout)
    listed = subprocess.run(["busybox", "--list"], executable=f"/proc/{os.getpid()}/fd/{program}", stdout=subprocess.PIPE, check=True, text=True)
    os.close(program)
    return sorted(set(listed.stdout.split()) - {"busybox"})


class Busybox:
    """One static program with a link for each applet, like the official image of that name."""

    architectures = SEVEN
    # Official images say v8 here, and images built by buildx (as `userland`) say nothing: both occur.
    variants = {"arm64": "v8"}
    sets = {"busybox": "busybox-static"}
    config = {"Env": [PATH], "Cmd": ["sh"]}
    tarball = "busybox"
    more = []

    def __init__(self, lists):
        native = subprocess.run(["dpkg", "--print-architecture"], stdout=subprocess.PIPE, check=True, text=True).stdout.strip()
        self.links = applets(lists(native, "busybox"))

    def layers(self, architecture, lists):
        yield {
            "created_by": f"ADD {self.tarball}-{architecture}.tar.gz / # buildkit",
            "packages": lists(architecture, "busybox"),
            "only": ["usr/bin/busybox"],
            "entries": ACCOUNTS + self.more + [
                {"path": "usr", "directory": True},
                {"path": "usr/bin", "directory": True},
                {"path": "usr/sbin", "symlink": "bin"},
                {"path": "bin", "symlink": "usr/bin"},
                {"path": "sbin", "symlink": "usr/bin"},
            ] + [{"path": f"usr/bin/{link}", "symlink": "busybox"} for link in self.links],
        }
        yield {"created_by": 'CMD ["sh"]', "empty": True}


class Userland:
    """Dynamic programs on their libraries; the second layer removes and replaces parts of the first."""

    architectures = SEVEN
    variants = {}
    base = "base-files libc6 dash bash coreutils"
    sets = {"base": base, "app": base + " grep sed python3-minimal"}
    config = {
        "Env": [PATH, "LANG=C.UTF-8"],
        "Entrypoint": ["/usr/local/bin/docker-entrypoint.sh"],
        "Cmd": ["python3"],
        "WorkingDir": "/srv",
        "Labels": {"org.opencontainers.image.title": "userland"},
    }

    def __init__(self, lists):
        pass

    def layers(self, architecture, lists):
        base = lists(architecture, "base")
        yield {
            "created_by": f"# debian.sh --arch '{architecture}' out/ 'trixie' '@1754697600'",
            "packages": base,
            "exclude": DOCUMENTATION,
            # What the next layer takes away would be a finding each if it were still there.
            "entries": ACCOUNTS + [
                {"path": "usr/local/bin/legacy", "text": "#!/usr/bin/python2\nprint 'gone'\n", "mode": "0755"},
                {"path": "opt/legacy", "directory": True},
                {"path": "opt/legacy/run.sh", "text": "#!/opt/legacy/no-such-shell\n", "mode": "0755"},
                {"path": "srv/www", "directory": True},
                {"path": "srv/www/old.cgi", "text": "#!/usr/bin/perl6\n", "mode": "0755"},
                {"path": "etc/motd", "text": "base\n"},
            ],
        }
        yield {
            "created_by": "RUN /bin/sh -c apt-get install -y python3-minimal && rm -rf /opt/legacy # buildkit",
            "packages": sorted(set(lists(architecture, "app")) - set(base)),
            "exclude": DOCUMENTATION,
            "entries": [
                {"path": "usr/local/bin/.wh.legacy", "text": ""},
                {"path": "opt/.wh.legacy", "text": ""},
                {"path": "srv/www", "directory": True},
                {"path": "srv/www/.wh..wh..opq", "text": ""},
                {"path": "srv/www/index.html", "text": "<!doctype html><title>userland</title>\n"},
                {"path": "etc/motd", "text": "app\n"},
                {"path": "usr/local/bin/docker-entrypoint.sh", "text": '#!/bin/sh\nset -e\nexec "$@"\n', "mode": "0755"},
            ],
        }
        for line in ("ENV LANG=C.UTF-8", "WORKDIR /srv", 'ENTRYPOINT ["/usr/local/bin/docker-entrypoint.sh"]', 'CMD ["python3"]'):
            yield {"created_by": line, "empty": True}


def release(path, **fields):
    """An os-release(5)."""
    return {"path": path, "text": "".join(f'{key}="{value}"\n' for key, value in fields.items())}


class Alpine(Busybox):
    """For the suites that ship: what an alpine has of busybox, and its name. Its packages are in no Debian."""

    architectures = TWO
    config = {"Env": [PATH], "Cmd": ["/bin/sh"]}
    tarball = "alpine-minirootfs"
    more = [release("etc/os-release", ID="alpine", VERSION_ID="3.22.1", NAME="Alpine Linux")]


class Debian:
    """For the suites that ship: the base of a distribution."""

    architectures = TWO
    variants = {"arm64": "v8"}
    sets = {"base": Userland.base}
    config = {"Env": [PATH], "Cmd": ["bash"]}
    # In place of base-files' own.
    more = []

    def __init__(self, lists):
        pass

    def layers(self, architecture, lists):
        yield {
            "created_by": f"# debian.sh --arch '{architecture}' out/ 'trixie' '@1754697600'",
            "packages": lists(architecture, "base"),
            "exclude": DOCUMENTATION,
            "entries": ACCOUNTS + self.more,
        }
        yield {"created_by": 'CMD ["bash"]', "empty": True}


class Ubuntu(Debian):
    """For the suites that ship: the same userland with another name."""

    config = {"Env": [PATH], "Cmd": ["/bin/bash"]}
    more = [
        {"path": "usr/lib", "directory": True},
        release("usr/lib/os-release", ID="ubuntu", ID_LIKE="debian", VERSION_ID="24.04", NAME="Ubuntu"),
    ]


class GoService:
    """For the suites that ship: one static program of Go in an image FROM scratch. gosu says of itself what it was built
    for, and Debian builds it without libc."""

    architectures = TWO
    variants = {}
    sets = {"program": "gosu"}
    config = {"Env": [PATH], "Entrypoint": ["/app"], "User": "65532:65532", "ExposedPorts": {"8080/tcp": {}}}

    def __init__(self, lists):
        pass

    def layers(self, architecture, lists):
        yield {
            "created_by": "COPY --from=build /out/app /usr/sbin/gosu # buildkit",
            "packages": lists(architecture, "program"),
            "only": ["usr/sbin/gosu"],
            "entries": [
                {"path": "usr", "directory": True},
                {"path": "usr/sbin", "directory": True},
                {"path": "app", "symlink": "usr/sbin/gosu"},
            ],
        }
        for line in ("USER 65532:65532", "EXPOSE map[8080/tcp:{}]", 'ENTRYPOINT ["/app"]'):
            yield {"created_by": line, "empty": True}


SERVICE = """import sys

if "--check" in sys.argv:
    print("ready")
"""


class PythonService(Debian):
    """For the suites that ship: an application on an interpreter, as nobody."""

    variants = {}
    sets = Userland.sets
    config = {
        "Env": [PATH, "PYTHONDONTWRITEBYTECODE=1"],
        "Entrypoint": ["python3", "/srv/app/main.py"],
        "WorkingDir": "/srv/app",
        "User": "65534:65534",
        "ExposedPorts": {"8080/tcp": {}},
        "Labels": {"org.opencontainers.image.source": "https://git.example/service"},
    }

    def layers(self, architecture, lists):
        base = lists(architecture, "base")
        yield next(super().layers(architecture, lists))
        yield {
            "created_by": "RUN /bin/sh -c apt-get install -y python3-minimal # buildkit",
            "packages": sorted(set(lists(architecture, "app")) - set(base)),
            "exclude": DOCUMENTATION,
        }
        yield {
            "created_by": "COPY app /srv/app # buildkit",
            "entries": [
                {"path": "srv/app", "directory": True},
                {"path": "srv/app/main.py", "text": SERVICE},
            ],
        }
        yield {"created_by": 'ENTRYPOINT ["python3" "/srv/app/main.py"]', "empty": True}


class Distroless:
    """For the suites that ship: an interpreter and its libraries, no shell and no package manager."""

    architectures = TWO
    variants = {}
    sets = {"python": "base-files libc6 python3-minimal"}
    config = {"Env": [PATH], "Entrypoint": ["/usr/bin/python3"], "WorkingDir": "/", "User": "65532"}
    # What python3-minimal depends on besides is there to install it.
    packages = ("base-files_", "libc6_", "libgcc-s1_", "python3", "libpython3", "zlib1g_", "libexpat1_")

    def __init__(self, lists):
        pass

    def layers(self, architecture, lists):
        yield {
            "created_by": "bazel build @python3//:image",
            "packages": [deb for deb in lists(architecture, "python") if os.path.basename(deb).startswith(self.packages)],
            "exclude": DOCUMENTATION + ["usr/bin/py3", "usr/share/python3/", "etc/update-motd.d/"],
            "entries": ACCOUNTS,
        }


class Stacked:
    """For the benchmark: a layer for each set, of the packages that the sets below do not bring."""

    architectures = TWO
    variants = {}
    config = {"Env": [PATH], "Cmd": ["bash"]}

    def __init__(self, lists):
        pass

    def layers(self, architecture, lists):
        below = set()
        for name, packages in self.sets.items():
            its = set(lists(architecture, name))
            yield {
                "created_by": f"RUN /bin/sh -c apt-get install -y {packages.split()[-1]} # buildkit",
                "packages": sorted(its - below),
                "entries": [] if below else ACCOUNTS,
            }
            below |= its
        yield {"created_by": 'CMD ["bash"]', "empty": True}


class Small(Stacked):
    """A plain Debian."""

    sets = {"minbase": MINBASE}


class Big(Stacked):
    """Many files, and some large ones."""

    sets = {
        "1-minbase": MINBASE,
        "2-python": MINBASE + " python3",
        "3-node": MINBASE + " python3 nodejs",
        "4-llvm": MINBASE + " python3 nodejs llvm",
        "5-build-essential": MINBASE + " python3 nodejs llvm build-essential",
    }


IMAGES = {
    "busybox": Busybox, "userland": Userland, "small": Small, "big": Big,
    "alpine": Alpine, "debian": Debian, "ubuntu": Ubuntu,
    "go-service": GoService, "python-service": PythonService, "distroless": Distroless,
}


def spec(image, compression, directory):
    def lists(architecture, name):
        with open(os.path.join(directory, architecture, name + ".debs"), encoding="utf-8") as files:
            return files.read().split("\n")[:-1]

    made = image(lists)
    platforms = []
    for architecture in made.architectures:
        variant = {"variant": made.variants[architecture]} if architecture in made.variants else {}
        layers = list(made.layers(architecture, lists))
        platforms.append({**PLATFORMS[architecture], **variant, "config": made.config, "layers": layers})
    return {"tag": "latest", "compression": compression, "platforms": platforms}


def main():
    match sys.argv[1:]:
        case ["architectures", image]:
            print("\n".join(IMAGES[image].architectures))
        case ["sets", image, directory]:
            for name, packages in IMAGES[image].sets.items():
                with open(os.path.join(directory, name + ".names"), "w", encoding="utf-8") as names:
                    names.write(packages + "\n")
        case ["spec", image, compression, directory]:
            json.dump(spec(IMAGES[image], compression, directory), sys.stdout)
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
