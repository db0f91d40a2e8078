#!/usr/bin/env python3
"""What the dearest paths of a node cost, by part: before and after.

Runs the scenarios of one or two builds of `bench` in turns under `perf record` and writes a page of tables (Markdown)
to standard output. Needs Linux `perf`, and builds with symbols:

    CARGO_PROFILE_RELEASE_STRIP=none cargo build --release -p passerelle-tests --bin bench
    python3 tests/profile/profile.py [--rounds N] [--before OLD_BENCH] target/release/bench

Samples of the nodes alone count, not those of the bench and its callers. CPU time is sampled by the task clock of the
kernel; where the processor's counter of instructions can be read, instructions in user mode are sampled too.
"""

import argparse
import collections
import datetime
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile

# A part is the first of these whose pattern is in the name of the function.
PARTS = [
    ("Ed25519", r"25519|sha512"),
    ("SHA-256", r"sha2::|sha256"),
    ("TLS", r"rustls|aes_|gcm|aws_lc|chacha|poly1305"),
    ("DEFLATE", r"miniz|flate2|adler"),
    ("malloc and free", r"malloc|_int_free|^cfree|realloc|calloc|unlink_chunk|sysmalloc|systrim|^free"),
    ("memory copies", r"memmove|memcpy|memset|memcmp|bcmp"),
    ("sled", r"sled|crossbeam|crc32|parking_lot"),
    ("gRPC and HTTP/2", r"h2::|hyper|tonic|tower|http::|prost|bytes::"),
    ("Tokio", r"tokio|mio::|futures_util"),
    ("CBOR", r"minicbor"),
    ("rules and engine", r"passerelle"),
]
LINE = re.compile(r"^\s*(?P<comm>.+?)\s+(?P<pid>\d+)/\d+\s+(?P<time>[\d.]+):\s+(?P<period>\d+)\s+[0-9a-f]+\s+(?P<sym>.*?)\s*\((?P<dso>[^()]*)\)\s*$")

# Name, arguments of the bench, alerts, and which of the nodes' processes count: all, or those since the last started.
PATHS = [
    ("publish, 256 callers", ["throughput", "--callers", "256", "--count", "20000"], 20_200, "all"),
    ("publish, one caller", ["throughput", "--callers", "1", "--count", "1500"], 1_700, "all"),
    ("50 alerts a second", ["latency", "--count", "600"], 650, "all"),
    ("catch-up", ["catch-up", "--backlog", "20000"], 20_000, "since-last"),
    ("restart after SIGKILL with 100,000 alerts, until ready", ["restart", "--stored", "100000"], 1, "restarted"),
]
EVENTS = [("task-clock", ["-F", "1999"], 1e-3), ("instructions:u", ["-c", "1000003"], 1.0)]


def events():
    """What this machine can count."""
    for event, how, scale in EVENTS:
        stat = subprocess.run(["perf", "stat", "-x", ",", "-e", event, "true"], capture_output=True, text=True)
        if "not supported" not in stat.stderr and stat.returncode == 0:
            yield event, how, scale


def part_of(sym, dso):
    name = sym.lower()
    if dso.startswith("[kernel") or dso.startswith("[guest") or sym.startswith("[k]"):
        return "kernel"
    for part, pattern in PARTS:
        if re.search(pattern, name):
            return part
    return "other"


def run(bench, arguments, event, how):
    """Samples of the nodes as (pid, time, weight, thread, part), and the figures that the bench tells."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("PROFILE_DIR")) as folder:
        data = os.path.join(folder, "perf.data")
        command = ["perf", "record", "-q", "-e", event, *how, "-o", data, "--", bench, *arguments, "--json", "--dir", folder]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        script = ["perf", "script", "-i", data, "-F", "comm,pid,tid,time,period,ip,sym,dso"]
        listing = subprocess.run(script, check=True, capture_output=True, text=True).stdout
    samples = []
    for line in listing.splitlines():
        found = LINE.match(line)
        if found:
            # The kernel keeps 15 letters of a thread's name; the first thread has that of the program.
            thread = "main" if found["comm"] == os.path.basename(bench)[:15] else re.sub(r"[-\d]+$", "", found["comm"])
            sample = (int(found["pid"]), float(found["time"]), int(found["period"]), thread)
            samples.append((*sample, part_of(found["sym"], found["dso"])))
    # A node has an engine; the bench has none.
    nodes = {pid for pid, _, _, thread, _ in samples if thread == "engine"}
    figures = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
    return [sample for sample in samples if sample[0] in nodes], figures


def counted(samples, which):
    began = {}
    for pid, time, *_ in samples:
        began[pid] = min(time, began.get(pid, time))
    order = sorted(began, key=began.get)
    if which == "since-last":
        return [sample for sample in samples if sample[1] >= began[order[-1]]]
    if which == "restarted":
        # The first thread opens the store; what others look through afterwards ends whenever the bench stops them.
        return [sample for sample in samples if sample[0] in order[2:] and sample[3] == "main"]
    return samples


def costs(samples, alerts, scale):
    """Cost of one alert by part and by thread."""
    parts, threads = collections.Counter(), collections.Counter()
    for _, _, weight, thread, part in samples:
        parts[part] += weight * scale / alerts
        threads[thread] += weight * scale / alerts
    return parts, threads


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"


def table(title, unit, names, rows):
    print(f"\n{title}, {unit}:\n")
    print("| part | " + " | ".join(names) + (" | ratio |" if len(names) == 2 else " |"))
    print("| --- |" + " ---: |" * (len(names) + (len(names) == 2)))
    for name, values in rows:
        ratio = f" {values[1] / values[0]:.2f} |" if len(values) == 2 and values[0] > 0 else (" |" if len(values) == 2 else "")
        print(f"| {name} | " + " | ".join(number(value) for value in values) + " |" + ratio)


def median(counters, key):
    return statistics.median([counter.get(key, 0.0) for counter in counters])


def report(name, unit, names, measured):
    """One table: the median of the rounds, by part and by thread."""
    keys = {key for rounds in measured for parts, _ in rounds for key in parts}
    totals = [statistics.median([sum(parts.values()) for parts, _ in rounds]) for rounds in measured]
    rows = [(key, [median([parts for parts, _ in rounds], key) for rounds in measured]) for key in keys]
    rows.sort(key=lambda row: -max(row[1]))
    threads = {key for rounds in measured for _, counter in rounds for key in counter}
    by_thread = [(f"thread {key}", [median([c for _, c in rounds], key) for rounds in measured]) for key in threads]
    by_thread = sorted((row for row in by_thread if max(row[1]) > 0.02 * max(totals)), key=lambda row: -max(row[1]))
    spread = [f"{number(min(sums))} to {number(max(sums))}" for sums in
              [[sum(parts.values()) for parts, _ in rounds] for rounds in measured]]
    table(name, unit, names, [("**all**", totals), *rows, *by_thread])
    print(f"\nOver the rounds: {', '.join(f'{n} {s}' for n, s in zip(names, spread))}.")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    arguments.add_argument("bench")
    arguments.add_argument("--before")
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--only", action="append", help="a path, by the beginning of its name")
    args = arguments.parse_args()
    builds = ([("before", args.before)] if args.before else []) + [("after" if args.before else "now", args.bench)]
    names = [name for name, _ in builds]
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown")
    print("# What the dearest paths cost\n")
    print(f"Made by `tests/profile/profile.py`, which says how to repeat it, on {datetime.date.today()}: {os.cpu_count()} "
          f"processors ({cpu}), Linux {platform.release()}, load {os.getloadavg()[0]:.1f} when it began; {args.rounds} rounds, "
          "the builds in turns. Both nodes together, without bench and callers; alerts of 1 KiB.")
    for name, bench_arguments, alerts, which in PATHS:
        if args.only and not any(name.startswith(only) for only in args.only):
            continue
        per = "a start of both nodes" if which == "restarted" else "an alert"
        told = collections.defaultdict(lambda: [[] for _ in builds])
        for event, how, scale in events():
            measured = [[] for _ in builds]
            for _ in range(args.rounds):
                for at, (_, bench) in enumerate(builds):
                    samples, figures = run(bench, bench_arguments, event, how)
                    measured[at].append(costs(counted(samples, which), alerts, scale))
                    for line in figures:
                        for figure, value in line["figures"].items():
                            told[figure][at].append(value)
            unit = f"us of CPU {per}" if event == "task-clock" else f"instructions in user mode {per}"
            if event == "task-clock":
                print(f"\n## {name[0].upper()}{name[1:]}\n\n`bench {' '.join(bench_arguments)}`")
            report("CPU time" if event == "task-clock" else "Instructions", unit, names, measured)
            sys.stdout.flush()
        print("\nWhat the bench told meanwhile (sampled, so slower than alone; median):\n")
        for figure, values in sorted(told.items()):
            print(f"- {figure}: " + ", ".join(f"{n} {number(statistics.median(v))}" for n, v in zip(names, values)))


if __name__ == "__main__":
    main()
