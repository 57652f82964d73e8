# SPDX-License-Identifier: Apache-2.0
"""Counts the instructions of our own functions in the hot paths, under callgrind, and compares them with the record.

    python -m toolkit.bench.counts [--pythons 2.7,3.13] [--record]

Unlike times, they are the same in each run and on each machine; they depend on the compiler and the Python. Counted
is what tests/bench/hot_paths.py makes the C half do: neither OpenSSL nor Python nor the C library. The binary is
linked once more with a map, which tells where each of our functions lies. `--record` writes what was counted into
tests/bench/instruction_counts.json, for a change that is worth its instructions.
"""

from __future__ import annotations

import argparse
import bisect
import collections
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from openssl.errors import BuildError, run_main
from openssl.toolchain import Toolchain
from toolkit import tools
from toolkit.bench import callgrind, setup
from toolkit.interpreters import Interpreter

RECORD = setup.SOURCES / "instruction_counts.json"
PROGRAM = setup.SOURCES / "hot_paths.py"

#: How much more than recorded is too much.
GROWTH = 0.05

#: OpenSSL chooses its code by the processor; this is one with AES, AVX2 and neither AVX-512 nor VAES.
PROCESSOR = "0x1ed83203078bfbff:0x80128"

#: What each path does more often than the basis: (1 KiB, 16 KiB, handshakes).
BASIS = (10, 10, 2)
PATHS = {"write and read 1 KiB": (110, 10, 2), "write and read 16 KiB": (10, 110, 2), "handshake": (10, 10, 12)}

BINARIES = ("_core.abi3.so", "_core.so")
_SECTION = re.compile(r" \.text\.(\S+)(?:\s+(0x\w+)\s+(0x\w+)\s+(\S+))?$")
_CONTINUED = re.compile(r"\s+(0x\w+)\s+(0x\w+)\s+(\S+)$")


@dataclass(frozen=True)
class Function:
    """One of our functions in the binary: addresses from `start` up to `end`."""

    start: int
    end: int
    name: str


def functions(link_map: Path) -> list[Function]:
    """Our functions by address: the sections that come from our objects, one each. Raises BuildError."""
    found, name = [], ""
    for line in link_map.read_text(encoding="utf-8").splitlines():
        whole = _SECTION.match(line)
        if whole and not whole[2]:
            name = whole[1]  # too long for one line: the rest is on the next one
            continue
        found_in = whole or (_CONTINUED.match(line) if name else None)
        if found_in:
            start, size, origin = found_in.groups()[-3:]
            if int(start, 16) and origin.endswith(".o"):  # OpenSSL's come from archives: lib.a(member.o)
                label = whole[1] if whole else name
                found.append(Function(int(start, 16), int(start, 16) + int(size, 16), label))
        name = ""
    if not found:
        raise BuildError(f"{link_map} names no function of ours: is it the linker's map of a build with -ffunction-sections?")
    return sorted(found, key=lambda each: each.start)


def instructions(profile: Path, ours: list[Function]) -> collections.Counter[str]:
    """Instructions executed in each of our functions, callees not included, from callgrind's output."""
    starts = [each.start for each in ours]
    counted: collections.Counter[str] = collections.Counter()
    for address, cost in _costs_in_our_binary(profile):
        index = bisect.bisect(starts, address) - 1
        if index >= 0 and address < ours[index].end:
            counted[ours[index].name] += cost
    return counted


def _costs_in_our_binary(profile: Path) -> Iterator[tuple[int, int]]:
    """(address in the file, instructions). The format: valgrind's manual, "Callgrind Format Specification"."""
    objects: dict[str, str] = {}
    inside, of_a_call, address = False, False, 0
    with profile.open(encoding="utf-8", errors="replace") as stream:
        for line in stream:
            if line[0] in "0123456789+-*":
                position, _, cost = line.partition(" ")
                if position[0] in "+-":
                    address += int(position)
                elif position != "*":
                    address = int(position, 16)
                if inside and not of_a_call:
                    yield address, int(cost)
                of_a_call = False
            elif line.startswith(("ob=", "cob=")):
                number, _, name = line.partition("=")[2].strip().partition(" ")
                if name:
                    objects[number] = name
                if line.startswith("ob="):
                    inside = objects[number].endswith(BINARIES)
            elif line.startswith("calls="):
                of_a_call = True  # the next line is the cost of the callee


class Counted:
    """A build for counting: a tree for one major version of Python, and where its functions lie."""

    def __init__(self, major: int, core: Path | None = None, output: Path | None = None) -> None:
        output = output or setup.OUTPUT / f"counted-{major}"
        output.mkdir(parents=True, exist_ok=True)
        link_map = output.resolve() / "map.txt"
        environment = tools.pip_environment() | {
            "PYTHONPATH": "src",
            f"PYTHON{5 - major}": "",
            "LDFLAGS": f"{os.environ.get('LDFLAGS', '')} -Wl,-Map={link_map}".strip(),
        }
        if core:
            environment["CORE_DIR"] = str(core)
        command = [sys.executable, "-m", "core.build", "--output", str(output)]
        done = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        if done.returncode:
            raise BuildError(f"building for counting failed:\n{done.stdout[-2000:]}")
        self.tree = (output / f"py{major}").resolve()
        self.functions = functions(link_map)
        self._output = output

    def run(
        self, interpreter: Interpreter, certificates: Path, times: tuple[int, int, int], waiting: int = 0
    ) -> collections.Counter[str]:
        """Instructions in our functions when the hot paths are taken so many times, `waiting` being hot_paths.py's."""
        profile = self._output / f"{interpreter.name}.callgrind"
        profile.unlink(missing_ok=True)
        environment = {
            "PATH": os.defpath,
            "LC_ALL": "C",
            "PYTHONPATH": str(self.tree),
            "PYTHONHASHSEED": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
            "OPENSSL_ia32cap": PROCESSOR,
        }
        words = [interpreter.path, "-s", str(PROGRAM), str(certificates), *map(str, times), str(waiting)]
        callgrind.run(words, environment, profile, "--dump-instr=yes", "--dump-line=no")
        counted = instructions(profile, self.functions)
        profile.unlink()
        return counted

    def count(self, interpreter: Interpreter, certificates: Path) -> dict[str, dict[str, float]]:
        """Path -> function -> instructions each time."""
        basis = self.run(interpreter, certificates, BASIS)
        found = {}
        for path, times in PATHS.items():
            repeated = max(many - few for many, few in zip(times, BASIS))
            more = self.run(interpreter, certificates, times)
            more.subtract(basis)
            found[path] = {name: count / repeated for name, count in more.items() if count}
        return found


def total(counted: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Path -> instructions each time in all our functions."""
    return {path: sum(each.values()) for path, each in counted.items()}


def key(interpreter: Interpreter) -> tuple[str, str]:
    """(compiler, Python), under which counts are recorded."""
    return Toolchain().identity, ".".join(map(str, interpreter.version))


def recorded(interpreter: Interpreter) -> dict[str, float] | None:
    """Path -> instructions as recorded for this compiler and Python, or None."""
    compiler, python = key(interpreter)
    return json.loads(RECORD.read_text(encoding="utf-8")).get(compiler, {}).get(python)


def complaints(counted: Mapping[str, Mapping[str, float]], record: Mapping[str, float]) -> list[str]:
    """One line for each path that grew too much; it names the functions with most instructions."""
    lines = []
    for path, now in total(counted).items():
        if now > record[path] * (1 + GROWTH):
            largest = sorted(counted[path].items(), key=lambda item: -item[1])[:8]
            lines.append(
                f"{path}: {now:.0f} instructions where {record[path]:.0f} are recorded (+{now / record[path] - 1:.0%}); "
                f"most are in {', '.join(f'{name} {count:.0f}' for name, count in largest)}"
            )
    return lines


def _write(interpreter: Interpreter, counted: Mapping[str, Mapping[str, float]]) -> None:
    known = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    compiler, python = key(interpreter)
    known.setdefault(compiler, {})[python] = total(counted)
    RECORD.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="toolkit.bench.counts", description="Count instructions of the hot paths.")
    parser.add_argument("--pythons", default=",".join(setup.LANGUAGES), help="versions, separated by commas")
    parser.add_argument("--record", action="store_true", help=f"write them to {RECORD}")
    chosen = parser.parse_args(arguments)
    certificates = setup.certificates()
    grown = 0
    for interpreter in setup.pythons(tuple(chosen.pythons.split(","))):
        counted = Counted(interpreter.version[0]).count(interpreter, certificates)
        for path, count in total(counted).items():
            print(f"{interpreter.name:6} {path:22} {count:8.1f}", flush=True)
        if chosen.record:
            _write(interpreter, counted)
            continue
        record = recorded(interpreter)
        lines = complaints(counted, record) if record else [f"nothing is recorded for {' and '.join(key(interpreter))}"]
        grown += bool(record and lines)
        print("\n".join(lines))
    return 1 if grown else 0


if __name__ == "__main__":
    run_main(main)
