# SPDX-License-Identifier: Apache-2.0
"""Pips and surroundings that get in the check's way: it answers all the same, in its own words, and leaves nothing."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from test_liars import lie

AT_THE_END = """
if downloads():
    import atexit, json

    def change():
        path = os.environ["TLS_BOOTSTRAP_TRACE"]
        with open(path) as stream:
            lines = stream.read().splitlines()
        {change}

    atexit.register(change)
become_pip()
"""
REWRITTEN = """
        for number, line in enumerate(lines[1:], 1):
            entry = json.loads(line)
            {change}
            lines[number] = json.dumps(entry)
        with open(path, "w") as stream:
            stream.write("\\n".join(lines) + "\\n")
"""


@pytest.fixture
def installation(make):
    return make("3.9").add_pip().add_module().add_hook()


@pytest.mark.parametrize(
    "change",
    [
        REWRITTEN.format(change="del entry['core'], entry['module']"),
        REWRITTEN.format(change="entry['exporter'] = [1]"),
        "with open(path, 'a') as stream: stream.write('[' * 100000)",
        "os.unlink(path); os.mkdir(path)",
    ],
    ids=["without the module's path", "a list for an exporter value", "nested too deep", "a directory in its place"],
)
def test_a_mangled_trace_is_no_evidence_and_no_traceback(installation, check, change):
    done = check("--json", "--python", lie(installation, AT_THE_END.format(change=change)).python)
    assert done.stderr == ""
    (target,) = json.loads(done.stdout)["targets"]
    if "100000" in change:  # the other lines are whole, but the switched off pip leaves one as well
        assert done.returncode in (0, 1)
    else:
        assert done.returncode in (1, 2)
        assert target["connections"] == []


def test_what_a_pip_leaves_in_its_home_is_not_in_the_way_of_the_next(installation, check):
    plant = "for name in ('trace', 'downloads'): os.symlink('/etc', os.path.join(os.environ['HOME'], name))\n"
    done = check("--python", lie(installation, f"if not downloads():\n    {plant}become_pip()\n").python)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_process_that_left_the_session_of_pip_ends_with_the_check(installation, check, workplace):
    log = workplace / "processes"
    log.touch()
    log.chmod(0o666)
    start = f"open({str(log)!r}, 'a').write('%d\\n' % subprocess.Popen(['sleep', '300'], preexec_fn=os.setsid).pid)"
    done = check("--python", lie(installation, f"if downloads():\n    {start}\nbecome_pip()\n").python)
    assert done.returncode == 0, done.stdout + done.stderr
    started = log.read_text(encoding="ascii").split()
    assert started
    assert [pid for pid in started if _state(pid) not in ("gone", "Z")] == []


def _state(pid: str) -> str:
    try:
        return re.search(r"^State:\s+(\w)", Path(f"/proc/{pid}/status").read_text(encoding="ascii"), re.MULTILINE).group(1)
    except OSError:
        return "gone"


def test_a_pip_that_says_nothing_of_itself_is_broken(installation, make, check):
    other = make("3.13").add_pip().add_module().add_hook()
    lie(installation, "sys.exit('no module named nothing')\n")
    done = check("--json", "--python", installation.python, "--python", other.python)
    first, second = json.loads(done.stdout)["targets"]
    assert (done.returncode, first["verdict"], second["verdict"]) == (1, "broken", "used")
    assert "pip --help ended with exit code 1: no module named nothing" in first["reason"]


@pytest.mark.parametrize("part", ["", "lib/python3.9/site-packages"], ids=["prefix", "site directory"])
def test_a_link_in_the_path_is_no_other_file(installation, check, part):
    place = installation.root / part
    place.rename(installation.root.parent / "moved")
    place.symlink_to(installation.root.parent / "moved")
    done = check("--python", installation.python)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives up a privilege here")
def test_where_root_may_not_become_another_user_that_is_said(tmp_path, check, installation):
    without = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    done = check("--python", installation.python, environment={"TMPDIR": str(tmp_path)}, prefix=without)
    assert (done.returncode, done.stdout) == (4, "")
    assert re.match("tls-bootstrap: as root the check runs pip as the user nobody, which .* does not let root become ", done.stderr)
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("umask", ["0777"])
def test_the_umask_of_the_caller_does_not_matter(installation, check, umask):
    done = check("--python", installation.python, prefix=["sh", "-c", f'umask {umask}; exec "$@"', "sh"])
    assert (done.returncode, done.stderr) == (0, "")


def test_an_index_that_dies_is_one_clear_line(installation, check):
    kill = """
if downloads():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid) as stream:
                words = stream.read()
            if "index_server.py" in words and sys.executable in words:
                os.kill(int(pid), 9)
        except OSError:
            pass
become_pip()
"""
    done = check("--python", lie(installation, kill).python)
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr == f"tls-bootstrap: the loopback index under {installation.python} ended\n"
