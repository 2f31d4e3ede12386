#!/usr/bin/env python3
"""Measures mpcheck and its peers in turn and prints medians and ratios.

Machines are shared and noisy: within one round every command runs once, so that
a ratio compares runs that lie close together; the medians are over the rounds.
Nothing here decides anything: a target that is missed is printed, not an error.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

MIB = 1024 * 1024


class Measured:
    """One command over all rounds."""

    def __init__(self):
        self.wall, self.cpu, self.rss, self.codes = [], [], [], set()

    def add(self, wall, cpu, rss, code):
        self.wall.append(wall)
        self.cpu.append(cpu)
        self.rss.append(rss)
        self.codes.add(code)


def run(command, env):
    """One run of a command (or of several, one after the other): seconds of wall and processor, bytes at its peak."""
    commands = command if isinstance(command[0], list) else [command]
    wall = cpu = rss = code = 0
    for one in commands:
        begun = time.monotonic()
        process = subprocess.Popen(one, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall += time.monotonic() - begun
        cpu += usage.ru_utime + usage.ru_stime
        rss = max(rss, usage.ru_maxrss * 1024)
        code = code or process.returncode
    return wall, cpu, rss, code


def commands(mpcheck, parts, registry):
    """What is measured, by name. `syft` looks at one platform at a time, so it runs twice."""
    tool = lambda name: os.path.join(parts, "bin", name)
    layout = lambda form: f"oci:{parts}/images/big-{form}:latest"
    remote = lambda form: f"{registry}/big-{form}:1"
    syft = [[tool("syft"), "scan", "--quiet", "--output", "json", "--platform", f"linux/{arch}",
             f"registry:{remote('gzip')}"] for arch in ("amd64", "arm64")]
    return {
        "mpcheck, registry, gzip": [mpcheck, "--run", "never", "--no-cache", remote("gzip")],
        "mpcheck, registry, zstd": [mpcheck, "--run", "never", "--no-cache", remote("zstd")],
        "mpcheck, layout, gzip": [mpcheck, "--run", "never", "--no-cache", layout("gzip")],
        "mpcheck, layout, zstd": [mpcheck, "--run", "never", "--no-cache", layout("zstd")],
        "mpcheck, registry, gzip, again": [mpcheck, "--run", "never", remote("gzip")],
        "crane validate --fast": [tool("crane"), "validate", "--insecure", "--fast", "--remote", remote("gzip")],
        "crane validate": [tool("crane"), "validate", "--insecure", "--remote", remote("gzip")],
        "skopeo copy --all to dir": [tool("skopeo"), "copy", "--quiet", "--all", "--src-tls-verify=false",
                                     f"docker://{remote('gzip')}", "dir:COPY"],
        "syft, both platforms": syft,
    }


RATIOS = [
    ("mpcheck, registry, gzip", "crane validate", 0.15),
    ("mpcheck, registry, gzip", "syft, both platforms", 0.1),
    ("mpcheck, layout, gzip", "syft, both platforms", 0.1),
    ("mpcheck, registry, zstd", "mpcheck, registry, gzip", 1.0),
    ("mpcheck, layout, zstd", "mpcheck, layout, gzip", 1.0),
    ("mpcheck, registry, gzip, again", "crane validate --fast", 3.0),
    ("mpcheck, registry, gzip", "skopeo copy --all to dir", None),
]


def main():
    mpcheck, parts, registry, rounds = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    results = {}
    with tempfile.TemporaryDirectory() as scratch:
        env = dict(os.environ, HOME=scratch, XDG_CACHE_HOME=scratch, SYFT_REGISTRY_INSECURE_USE_HTTP="true",
                   SYFT_CHECK_FOR_APP_UPDATE="false")
        for round_ in range(rounds):
            for name, command in commands(os.path.abspath(mpcheck), parts, registry).items():
                copy = os.path.join(scratch, "copy")
                shutil.rmtree(copy, ignore_errors=True)
                if not isinstance(command[0], list):
                    command = [word.replace("COPY", copy) for word in command]
                if name.endswith("again") and round_ == 0:
                    run(command, env)
                results.setdefault(name, Measured()).add(*run(command, env))
                print(f"round {round_ + 1}: {name}: {results[name].wall[-1]:.2f} s", file=sys.stderr)
    report(results)


def report(results):
    print(f"\n{'medians':34} {'wall s':>8} {'cpu s':>8} {'cpu/wall':>8} {'peak MiB':>9}  exit")
    for name, r in results.items():
        wall, cpu = statistics.median(r.wall), statistics.median(r.cpu)
        print(f"{name:34} {wall:8.2f} {cpu:8.2f} {cpu / wall:8.2f} {max(r.rss) / MIB:9.1f}  {sorted(r.codes)}")
    print(f"\n{'ratios of wall time':70} {'ratio':>6}  target")
    for one, other, target in RATIOS:
        pairs = [a / b for a, b in zip(results[one].wall, results[other].wall)]
        ratio = statistics.median(pairs)
        met = "" if target is None else f"at most {target}: {'met' if ratio <= target else 'MISSED'}"
        print(f"{one + '  /  ' + other:70} {ratio:6.3f}  {met}")
    peak = max(max(r.rss) for name, r in results.items() if name.startswith("mpcheck"))
    print(f"{'peak memory of mpcheck, MiB':70} {peak / MIB:6.1f}  under 96: {'met' if peak < 96 * MIB else 'MISSED'}")


if __name__ == "__main__":
    main()
