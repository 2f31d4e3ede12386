#!/usr/bin/env python3
"""Measures the readiness of a host: mpcheck host against arch-test, over the same architectures, all with handlers.

The handlers are those of Debian's package, registered in a user namespace of this run's own: the machine's stay as they
are. As in bench.py, the commands of one round lie close together, and nothing here decides anything.

    host.py MPCHECK ROUNDS [ENGINE]
"""

import glob
import os
import statistics
import subprocess
import sys
import tempfile
import time

REGISTRY = "/proc/sys/fs/binfmt_misc"
# arch-test's names of the architectures that mpcheck has. It knows no loong64, and its powerpc needs another emulator.
ARCHITECTURES = ["amd64", "i386", "arm64", "armhf", "ppc64el", "ppc64", "riscv64", "s390x", "mips", "mipsel", "mips64",
                 "mips64el"]
NATIVE = {"i386", "x86_64"}


def register():
    """Every emulator of the package but those of the machine's own programs; how many."""
    subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", REGISTRY], check=True)
    count = 0
    for path in sorted(glob.glob("/usr/lib/binfmt.d/qemu-*.conf")):
        name = os.path.basename(path)[len("qemu-"):-len(".conf")]
        interpreter = f"/usr/bin/qemu-{name}-static"
        if name in NATIVE or not os.path.exists(interpreter):
            continue
        with open(path) as file:
            _, _, kind, offset, magic, mask, *_ = file.read().strip().split(":")
        with open(f"{REGISTRY}/register", "w") as entry:
            entry.write(f":{name}:{kind}:{offset}:{magic}:{mask}:{interpreter}:FPC")
        count += 1
    return count


def timed(commands, env, codes=(0,)):
    begun = time.monotonic()
    for command in commands:
        done = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode not in codes:
            sys.exit(f"{' '.join(command)} failed with {done.returncode}:\n{done.stdout[-3000:]}")
    return time.monotonic() - begun


def main():
    mpcheck, rounds = os.path.abspath(sys.argv[1]), max(5, int(sys.argv[2]))
    engine = sys.argv[3] if len(sys.argv) > 3 else None
    results = {}
    with tempfile.TemporaryDirectory(dir="/var/tmp") as scratch:
        env = dict(os.environ, XDG_CACHE_HOME=scratch)
        without = [mpcheck, "host", "--host", f"unix://{scratch}/none.sock", "--format", "json"]
        if engine:
            cases = {"mpcheck host with the engine": [[mpcheck, "host", "--host", engine, "--format", "json"]],
                     "mpcheck host without": [without]}
        else:
            print(f"{register()} handlers are registered", file=sys.stderr)
            cases = {"mpcheck host": [without],
                     "arch-test": [["arch-test", name] for name in ARCHITECTURES]}
        # The first run copies the emulators and asks them for their versions.
        for commands in cases.values():
            timed(commands, env)
        for _ in range(rounds):
            for name, commands in cases.items():
                results.setdefault(name, []).append(timed(commands, env))
    medians = {name: statistics.median(times) for name, times in results.items()}
    for name, seconds in medians.items():
        print(f"{name}: {seconds * 1000:.0f} ms (median of {rounds}, {min(results[name]) * 1000:.0f} to "
              f"{max(results[name]) * 1000:.0f})")
    if not engine:
        print(f"mpcheck host / arch-test, {len(ARCHITECTURES)} architectures (mpcheck: 13): "
              f"{medians['mpcheck host'] / medians['arch-test']:.2f} (target: 1 at most, and 60 ms)")


main()
