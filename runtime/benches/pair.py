#!/usr/bin/env python3
"""The CPU of a sandboxed send in two builds or more, in one run: runtime/benches/pair.py SECONDS BENCHMARK...

Each BENCHMARK is a build of `send` (`cargo bench -p sendbox --bench send --no-run` names it). All of them run at
the same time, and one of them at any time: they are stopped and go on in turns of 0.4 s, so that each meets the
machine's fast and slow phases alike. CPU is counted by the benchmark itself, which a stop costs nothing. Prints
the median and the lower quartile of each one's rounds in µs, and how many times those of the first they are.
"""

import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time

TURN = 0.4


def main():
    seconds, builds = float(sys.argv[1]), sys.argv[2:]
    outputs = [tempfile.TemporaryFile("w+") for _ in builds]
    running = []
    for build, output in zip(builds, outputs):
        # A group of its own: the provider that the benchmark starts stops with it.
        process = subprocess.Popen(
            [build, "--role", "profile"], stdout=output, stderr=subprocess.DEVNULL, start_new_session=True
        )
        os.killpg(process.pid, signal.SIGSTOP)
        running.append(process)
    take_turns(running, time.monotonic() + seconds)
    figures = [rounds(output) for output in outputs]
    for build, (median, quartile) in zip(builds, figures):
        of_first = f"{median / figures[0][0]:.3f} {quartile / figures[0][1]:.3f}"
        print(f"{os.path.basename(build)}: {median:.1f} {quartile:.1f} µs, times the first: {of_first}")


def take_turns(running, end):
    while time.monotonic() < end and all(process.poll() is None for process in running):
        for process in running:
            os.killpg(process.pid, signal.SIGCONT)
            time.sleep(TURN)
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGSTOP)
    for process in running:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def rounds(output):
    output.seek(0)
    cpu = sorted(float(text) for text in re.findall(r"cpu: ([0-9.]+)", output.read()))
    if len(cpu) < 4:
        sys.exit("too few rounds: give it more seconds")
    return statistics.median(cpu), cpu[len(cpu) // 4]


if __name__ == "__main__":
    main()
