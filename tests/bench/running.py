#!/usr/bin/env python3
"""Measures running: the same twenty commands on two platforms by mpcheck's two runners and by container-structure-test,
as options, as a suite (by `mpcheck test` and by `cargo test`) and as container-structure-test's own files; the first
command of an image that was never seen; and the listing of ten thousand trials.

As in bench.py, the commands of one round lie close together, and nothing here decides anything.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

COMMANDS = 20
PLATFORMS = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}


def structure_tests(directory):
    """The commands in the form of container-structure-test, a file for each platform."""
    files = {}
    for platform, machine in PLATFORMS.items():
        tests = [{"name": f"uname {n}", "command": "uname", "args": ["-m"], "expectedOutput": [f"^{machine}\n$"]}
                 for n in range(COMMANDS)]
        files[platform] = os.path.join(directory, platform.replace("/", "-") + ".json")
        with open(files[platform], "w") as file:
            json.dump({"schemaVersion": "2.0.0", "commandTests": tests}, file)
    return files


def suite(directory, image, runner):
    """The commands as a suite."""
    commands = [{"name": f"uname-{n}", "command": ["uname", "-m"], "stdout": "^(x86_64|aarch64)\n$"}
                for n in range(COMMANDS)]
    name = os.path.join(directory, f"{runner}.yaml")
    with open(name, "w") as file:
        run = {"with": runner, "required": True, "commands": commands}
        # JSON is YAML.
        json.dump({"version": 1, "images": [{"image": image, "platforms": list(PLATFORMS), "run": run}]}, file)
    return name


def many(directory):
    """Ten thousand trials."""
    commands = [{"name": f"n{n}", "command": ["app", str(n)]} for n in range(5000)]
    name = os.path.join(directory, "many.yaml")
    with open(name, "w") as file:
        json.dump({"version": 1, "images": [{"image": "registry.invalid/app", "platforms": list(PLATFORMS),
                                              "run": {"commands": commands}}]}, file)
    return name


def timed(commands, env, directory=None):
    """Seconds for some commands, one after the other. One that fails measures nothing, so it ends the run."""
    begun = time.monotonic()
    for command in commands:
        done = subprocess.run(command, env=env, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command[:3])} .. failed with {done.returncode}:\n{done.stdout[-3000:]}")
    return time.monotonic() - begun


def main():
    mpcheck, parts, engine, rounds = os.path.abspath(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
    # The built test of examples/release-gate: what `cargo test` starts. It runs suites/release.yaml.
    gate = os.path.abspath(sys.argv[5]) if len(sys.argv) > 5 else None
    small = f"oci:{parts}/images/small:latest"
    both = ["--require-run", "--platform", ",".join(PLATFORMS)]
    twenty = [word for _ in range(COMMANDS) for word in ("--command", "uname -m")]
    expect = ["--expect-stdout", "^(x86_64|aarch64)\n$"]
    results = {}

    def measure(name, commands, env, directory=None):
        results.setdefault(name, []).append(timed(commands, env, directory))
        print(f"{name}: {results[name][-1]:.2f} s", file=sys.stderr)

    # Not below /tmp by chance of its own: what was deleted in a directory slows what is made there next.
    with tempfile.TemporaryDirectory(dir="/var/tmp") as scratch:
        env = dict(os.environ, HOME=scratch, XDG_CACHE_HOME=os.path.join(scratch, "warm"), DOCKER_HOST=engine)
        tests = structure_tests(scratch)
        structure = [[os.path.join(parts, "bin", "container-structure-test"), "test", "--image", "small:1",
                      "--platform", platform, "--config", file] for platform, file in tests.items()]
        suites = {runner: suite(scratch, small, runner) for runner in ("sandbox", "docker")}
        listing, only = many(scratch), ["--", "/run/uname"]
        timed([[mpcheck, small, "--run", "sandbox", *both]], env)
        for round_ in range(rounds):
            measure("sandbox, 20 commands", [[mpcheck, small, "--run", "sandbox", *both, *twenty, *expect]], env)
            measure("docker, 20 commands", [[mpcheck, small, "--run", "docker", *both, *twenty, *expect]], env)
            for runner, file in suites.items():
                measure(f"{runner}, suite of 20", [[mpcheck, "test", file, *only]], env)
                if gate:
                    place = os.path.join(scratch, f"crate-{runner}")
                    os.makedirs(os.path.join(place, "suites"), exist_ok=True)
                    shutil.copy(file, os.path.join(place, "suites", "release.yaml"))
                    measure(f"{runner}, cargo test", [[gate, "/run/uname"]], env, place)
            files = [[mpcheck, "test", file, "--image", small, "--platform", platform, "--require-run", "--run", "sandbox"]
                     for platform, file in tests.items()]
            measure("sandbox, structure files", files, env)
            measure("list 10,000", [[mpcheck, "test", listing, "--list"]], env)
            measure("container-structure-test", structure, env)
            for platform in PLATFORMS:
                one = [mpcheck, small, "--run", "sandbox", "--require-run", "--platform", platform]
                fresh = dict(env, XDG_CACHE_HOME=os.path.join(scratch, f"fresh-{round_}-{platform.replace('/', '-')}"))
                measure(f"first uname -m, {platform}", [one], fresh)
                measure(f"again, {platform}", [one], fresh)
    report(results)


def report(results):
    print(f"\n{'medians':34} {'wall s':>8}")
    for name, times in results.items():
        print(f"{name:34} {statistics.median(times):8.3f}")
    print()
    ratios = {"sandbox, 20 commands": 1 / 20, "docker, 20 commands": 1 / 4, "sandbox, suite of 20": 1 / 20,
              "docker, suite of 20": 1 / 4, "sandbox, cargo test": 1 / 20, "docker, cargo test": 1 / 4,
              "sandbox, structure files": None}
    for one, target in ((one, target) for one, target in ratios.items() if one in results):
        pairs = [a / b for a, b in zip(results[one], results["container-structure-test"])]
        ratio = statistics.median(pairs)
        verdict = "" if target is None else f"  at most {target}: {'met' if ratio <= target else 'MISSED'}"
        print(f"{one + '  /  container-structure-test':60} {ratio:6.3f}{verdict}")
    for name, times in results.items():
        if name.startswith(("first", "again", "list")):
            target = {"f": 1.5, "a": 0.15, "l": 0.2}[name[0]]
            median = statistics.median(times)
            print(f"{name:60} {median:6.3f}  at most {target} s: {'met' if median <= target else 'MISSED'}")


if __name__ == "__main__":
    main()
