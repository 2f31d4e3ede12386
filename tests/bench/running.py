#!/usr/bin/env python3
"""Measures running: the same twenty commands on two platforms by mpcheck's two runners and by container-structure-test,
and the first command of an image that was never seen.

As in bench.py, the commands of one round lie close together, and nothing here decides anything.
"""

import json
import os
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


def timed(commands, env):
    """Seconds for some commands, one after the other. One that fails measures nothing, so it ends the run."""
    begun = time.monotonic()
    for command in commands:
        done = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command[:3])} .. failed with {done.returncode}:\n{done.stdout[-3000:]}")
    return time.monotonic() - begun


def main():
    mpcheck, parts, engine, rounds = os.path.abspath(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
    small = f"oci:{parts}/images/small:latest"
    both = ["--require-run", "--platform", ",".join(PLATFORMS)]
    twenty = [word for _ in range(COMMANDS) for word in ("--command", "uname -m")]
    expect = ["--expect-stdout", "^(x86_64|aarch64)\n$"]
    results = {}

    def measure(name, commands, env):
        results.setdefault(name, []).append(timed(commands, env))
        print(f"{name}: {results[name][-1]:.2f} s", file=sys.stderr)

    # Not below /tmp by chance of its own: what was deleted in a directory slows what is made there next.
    with tempfile.TemporaryDirectory(dir="/var/tmp") as scratch:
        env = dict(os.environ, HOME=scratch, XDG_CACHE_HOME=os.path.join(scratch, "warm"), DOCKER_HOST=engine)
        tests = structure_tests(scratch)
        structure = [[os.path.join(parts, "bin", "container-structure-test"), "test", "--image", "small:1",
                      "--platform", platform, "--config", file] for platform, file in tests.items()]
        timed([[mpcheck, small, "--run", "sandbox", *both]], env)
        for round_ in range(rounds):
            measure("sandbox, 20 commands", [[mpcheck, small, "--run", "sandbox", *both, *twenty, *expect]], env)
            measure("docker, 20 commands", [[mpcheck, small, "--run", "docker", *both, *twenty, *expect]], env)
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
    for one, target in (("sandbox, 20 commands", 1 / 20), ("docker, 20 commands", 1 / 4)):
        pairs = [a / b for a, b in zip(results[one], results["container-structure-test"])]
        ratio = statistics.median(pairs)
        print(f"{one + '  /  container-structure-test':60} {ratio:6.3f}  at most {target}: "
              f"{'met' if ratio <= target else 'MISSED'}")
    for name, times in results.items():
        if name.startswith(("first", "again")):
            target = 1.5 if name.startswith("first") else 0.15
            median = statistics.median(times)
            print(f"{name:60} {median:6.3f}  at most {target} s: {'met' if median <= target else 'MISSED'}")


if __name__ == "__main__":
    main()
