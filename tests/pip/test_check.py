# SPDX-License-Identifier: Apache-2.0
"""`tls-bootstrap check` on real interpreters: what it proves, what it answers when nothing is proven."""

from __future__ import annotations

import json
import os
import pty
import re
import textwrap
import threading

import pytest


@pytest.mark.parametrize(
    "version, pip_version",
    [("2.7", "1.5.4"), ("2.7", "8.1.2"), ("2.7", "20.3.4"), ("3.6", "9.0.3"), ("3.9", "20.3.4"), ("3.13", "26.3")],
)
def test_use_is_proven_by_exporter_values(make, check, version, pip_version):
    installation = make(version).add_pip(pip_version).add_module().add_hook()
    done = check("--json", "--python", installation.python)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["exit"] == 0
    (target,) = report["targets"]
    assert target["verdict"] == "used"
    assert [point for point in target["points"] if point["ok"] is False] == []
    assert [link["protocol"] for link in target["connections"]] == ["TLSv1.3", "TLSv1.2"]
    assert target["connections"][0]["group"] == "X25519MLKEM768"
    for link in target["connections"]:
        assert re.match("[0-9a-f]{64}$", link["exporter"])
        assert link["core"] == str(installation.core)
    if os.geteuid() == 0:
        assert any("mapped" in point["text"] and point["ok"] for point in target["points"])


def test_the_default_output_is_a_line_per_interpreter_and_tap(make, check):
    installation = make("3.9").add_pip().add_module().add_hook()
    done = check("--python", installation.python)
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"# {installation.python}, pip 23.0.1: uses _tls_bootstrap ")
    assert lines[1] == "TAP version 13"
    count = int(re.match(r"1\.\.(\d+)$", lines[2]).group(1))
    assert [line.split(" - ")[0] for line in lines[3:]] == [f"ok {number}" for number in range(1, count + 1)]
    assert done.stderr == ""
    assert "\033" not in done.stdout


@pytest.fixture
def on_terminal(check):
    """on_terminal(*arguments, **options) -> the check's exit code and what it wrote to its terminal."""

    def run(*arguments, **options):
        ours, theirs = pty.openpty()
        said = []

        def read():
            while True:
                try:
                    said.append(os.read(ours, 65536))
                except OSError:  # the other end was closed
                    return

        reader = threading.Thread(target=read)
        reader.start()
        code = check(*arguments, terminal=theirs, **options).returncode
        os.close(theirs)
        reader.join()
        os.close(ours)
        return code, b"".join(said).decode("utf-8")

    return run


@pytest.mark.parametrize(
    "environment, coloured", [({"TERM": "xterm"}, True), ({"TERM": "dumb"}, False), ({"TERM": "xterm", "NO_COLOR": "1"}, False)]
)
def test_a_terminal_sees_progress_and_colour(make, on_terminal, environment, coloured):
    """A pipe sees neither: every other test of the output."""
    installation = make("3.9").add_pip().add_module()
    code, text = on_terminal("--python", installation.python, environment=environment)
    assert code == 2
    assert f"\033[Kexamining {installation.python}" in text
    answer = text.rpartition("\033[K")[2].splitlines()
    assert ("\033[31m# " in answer[0], "\033[32mok " in text, "\033[31mnot ok " in text) == (coloured,) * 3
    assert ("\033" in "".join(answer)) is coloured


def test_quiet_is_quiet_on_a_terminal_too(make, on_terminal):
    code, text = on_terminal("--quiet", "--python", make("3.9").add_pip().add_module().python, environment={"TERM": "xterm"})
    assert (code, text) == (2, "")


def test_several_interpreters_give_the_worst_answer(make, check):
    good = make("3.9").add_pip().add_module().add_hook()
    without = make("3.13").add_pip().add_module()
    done = check("--json", "--python", good.python, "--python", without.python)
    assert done.returncode == 2
    assert [target["verdict"] for target in json.loads(done.stdout)["targets"]] == ["used", "not used"]


@pytest.mark.parametrize("version", ["2.7", "3.9"])
def test_without_the_hook_pip_does_not_use_the_module(make, check, version):
    installation = make(version).add_pip().add_module()
    done = check("--python", installation.python)
    assert done.returncode == 2
    assert "does not use _tls_bootstrap: the pip hook is not installed" in done.stdout.splitlines()[0]
    assert "next: install the package" in done.stdout.splitlines()[1]


def test_without_the_module_the_answer_is_not_installed(make, check):
    installation = make("3.9").add_pip().add_hook()
    done = check("--python", installation.python)
    assert done.returncode == 2
    assert "_tls_bootstrap is not installed for it" in done.stdout.splitlines()[0]


def test_with_the_off_switch_the_answer_is_not_used(make, check):
    installation = make("3.9").add_pip().add_module().add_hook()
    done = check("--python", installation.python, environment={"TLS_BOOTSTRAP_PIP": "0"})
    assert done.returncode == 2
    assert "TLS_BOOTSTRAP_PIP=0 is set" in done.stdout.splitlines()[0]


def test_a_damaged_finder_is_named(make, check):
    installation = make("3.9").add_pip().add_module().add_hook()
    (installation.site / "_tls_bootstrap_pip_finder.py").unlink()
    done = check("--python", installation.python)
    assert done.returncode == 2
    assert "is not active: files are missing or damaged" in done.stdout.splitlines()[0]


def test_an_interpreter_without_pip_is_no_system_pip(make, check):
    assert check("--python", make("3.9").add_module().add_hook().python).returncode == 3


@pytest.mark.parametrize(
    "words, complaint",
    [
        (["--no-such-option"], "unrecognized arguments: --no-such-option"),
        (["--python", "/no/such/python"], "--python /no/such/python: there is no such program"),
        (["--pip", "/etc/passwd"], "--pip /etc/passwd: this is no script"),
    ],
)
def test_a_bad_option_is_one_clear_error(check, words, complaint):
    done = check(*words)
    assert done.returncode == 4
    assert done.stdout == ""
    assert complaint in done.stderr.splitlines()[-1]


def test_a_pip_script_may_be_named(make, check):
    installation = make("3.9").add_pip().add_module().add_hook()
    script = installation.root / "bin" / "pip"
    body = "from pip._internal.cli.main import main\nraise SystemExit(main())\n"
    script.write_text(f"#!{installation.python}\n{body}", encoding="ascii")
    script.chmod(0o755)
    done = check("--pip", script)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith(f"# {script} (")


def test_quiet_prints_nothing(make, check):
    done = check("--quiet", "--python", make("3.9").add_pip().add_module().add_hook().python)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives up a privilege here")
def test_as_root_everything_runs_as_another_user_and_leaves_nothing(make, check, workplace, tmp_path):
    installation = make("3.9").add_pip().add_module().add_hook()
    log = workplace / "users"
    log.touch()
    log.chmod(0o666)
    line = f"import os; open({str(log)!r}, 'a').write('%d %d\\n' % (os.getuid(), len(os.getgroups())))\n"
    (installation.site / "spy.pth").write_text(line, encoding="ascii")
    temporary = workplace / "temporary"
    temporary.mkdir()
    temporary.chmod(0o1777)
    done = check("--python", installation.python, environment={"TMPDIR": str(temporary)})
    assert done.returncode == 0, done.stdout + done.stderr
    users = set(log.read_text(encoding="ascii").splitlines())
    assert len(users) == 1
    assert users != {"0 0"} and not next(iter(users)).startswith("0 ")
    assert list(temporary.iterdir()) == []


LIAR = """
    import json, os, ssl
    from ssl import *
    from ssl import SSLContext as _Context, _ssl
    __version__ = "9.9"

    class SSLContext(_Context):
        def wrap_socket(self, *words, **options):
            made = _Context.wrap_socket(self, *words, **options)
            path = os.environ.get("TLS_BOOTSTRAP_TRACE")
            if path:
                with open(path, "a") as stream:
                    stream.write(json.dumps({{
                        "exporter": "00" * 32, "pid": os.getpid(), "protocol": made.version(),
                        "module": __file__, "core": {core!r},
                    }}) + "\\n")
            return made
"""


def test_a_stub_over_ssl_that_claims_use_is_not_believed(make, check):
    """The loopback index runs with the genuine module, pip with a stub: made by exchanging it for pip only."""
    installation = make("3.9").add_pip().add_module().add_hook()
    stub = installation.root / "stub"
    (stub / "_tls_bootstrap").mkdir(parents=True)
    text = textwrap.dedent(LIAR).format(core=str(installation.core))
    (stub / "_tls_bootstrap" / "__init__.py").write_text(text, encoding="ascii")
    finder = installation.site / "_tls_bootstrap_pip_finder.py"
    finder.write_text(
        finder.read_text(encoding="ascii").replace(
            'globals().get("home") or directory', repr(str(stub))
        ),
        encoding="ascii",
    )
    replacement = installation.site / "_tls_bootstrap_pip" / "replacement.py"
    text = replacement.read_text(encoding="ascii").replace("    probe(module, low_level)\n", "")
    replacement.write_text(text, encoding="ascii")
    done = check("--json", "--python", installation.python)
    report = json.loads(done.stdout)
    assert done.returncode in (1, 2), done.stdout
    assert report["targets"][0]["connections"] == []
    points = {point["text"]: point["ok"] for point in report["targets"][0]["points"]}
    assert points["pip downloads from an index that speaks only TLSv1.3"] is True
    assert points["both ends have the same exporter value (TLSv1.3)"] is False


def test_a_stub_in_the_place_of_the_module_is_not_believed(make, check):
    installation = make("3.9").add_pip().add_module().add_hook()
    text = textwrap.dedent(LIAR).format(core=str(installation.core))
    (installation.site / "_tls_bootstrap" / "__init__.py").write_text(text, encoding="ascii")
    done = check("--python", installation.python)
    assert done.returncode in (1, 2), done.stdout + done.stderr
