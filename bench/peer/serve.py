"""The measured end of a process, as serve() in bench/contestant.ts: lines of JSON on standard input and output."""

import json
import resource
import sys
import time


def peak_bytes():
    try:
        with open("/proc/self/status") as status:
            return next(1024 * int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def say(**answer):
    print(json.dumps(answer), flush=True)


def timed_runs(run, seconds):
    milliseconds = []
    end = time.perf_counter() + seconds
    while not milliseconds or time.perf_counter() < end:
        began = time.perf_counter()
        run()
        milliseconds.append(1000 * (time.perf_counter() - began))
    return milliseconds


def serve(warm_up, run, describe, traffic=None):
    """traffic: counters, of what has been exchanged with other processes so far"""
    warm_up()
    say(**describe())
    for line in sys.stdin:
        question = json.loads(line)
        for _ in range(question["warmUps"]):
            warm_up()
        before = traffic() if traffic else {}
        milliseconds = timed_runs(run, question["seconds"]) if "seconds" in question else []
        answer = {"milliseconds": milliseconds, "peakBytes": peak_bytes()}
        if traffic:
            answer["traffic"] = {name: count - before[name] for name, count in traffic().items()}
        say(**answer)


def count_parameters(model):
    return sum(parameter.numel() for parameter in model.parameters())
