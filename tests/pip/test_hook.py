# SPDX-License-Identifier: Apache-2.0
"""The pip hook in real pips: their connections are made by `_tls_bootstrap`, and nobody else's are."""

from __future__ import annotations

import json

import pytest
from loopback import throwaway_chain

# One of each kind; `make pip-matrix` has all of them.
PIPS = [
    ("2.7", "1.5.4"),
    ("2.7", "18.1"),
    ("2.7", "20.3.4"),
    ("3.6", "9.0.3"),
    ("3.8", None),
    ("3.10", "26.3"),
    ("3.12", None),
    ("3.13", "25.1.1"),
]
ONE_OF_EACH = [("2.7", "20.3.4"), ("3.6", None), ("3.9", "20.3.4"), ("3.13", "25.1.1")]
DOWNLOAD = ("download", "--no-deps", "--dest", "downloads", "tb-sample")

LOOK_AT_NEIGHBOURS = """
import json, sys
sys.argv = ["/usr/bin/pip"]
builtin_import = __import__
assert not {"http.client", "httplib"} & set(sys.modules)  # so pip's stack is the first to import it
import pip._vendor.requests, pip._vendor.urllib3.util.ssl_, ssl
try:
    from pip._internal.cli.main import main
except ImportError:
    from pip._internal import main
try:
    import http.client as http_client, urllib.request as opener, xmlrpc.client as xmlrpc
except ImportError:
    import httplib as http_client, urllib2 as opener, xmlrpclib as xmlrpc
ours = sys.modules["_tls_bootstrap"]
urllib3 = sys.modules["pip._vendor.urllib3.util.ssl_"]
holders = [
    name for name, module in list(sys.modules.items())
    if any(value is ours or value is ours.SSLContext for value in list(getattr(module, "__dict__", {}).values()))
]
print(json.dumps({
    "urllib3": urllib3.SSLContext.__module__,
    "ssl": [ssl.__name__, sys.modules["ssl"].__name__, http_client.ssl.__name__],
    "import": __import__ is builtin_import,
    "holders": sorted(holders),
}))
"""

USE_REQUESTS = """
import sys
sys.path.insert(0, sys.argv[1])
import pip, requests
from urllib3.util import ssl_
print(ssl_.SSLContext.__module__, "_tls_bootstrap" in sys.modules)
"""


@pytest.mark.parametrize("version, pip_version", PIPS)
def test_every_connection_of_pip_is_made_by_the_module_beside_the_hook(make, pip, version, pip_version):
    installation = make(version).add_pip(pip_version).add_module().add_hook()
    if pip_version == "1.5.4":
        run = pip(installation, "install", "--no-deps", "--download", ".", "tb-sample")
    else:
        run = pip(installation, *DOWNLOAD)
    run.assert_all_ours()
    assert run.hook_lines == []
    assert {line["core"] for line in run.traced} == {str(installation.core)}
    assert len(list(installation.root.rglob("tb_sample-1.0-*.whl"))) == 1


@pytest.mark.parametrize(
    "version, pip_version", [("2.7", "9.0.1"), ("2.7", "20.3.4"), ("3.6", "9.0.1"), ("3.6", "20.3.4"), ("3.9", "20.3.4")]
)
@pytest.mark.parametrize("module", ["pip", "pip.__main__"])
def test_a_debundled_pip_is_reached(make, pip, version, pip_version, module):
    """By Ansible too, whose module says pip.__main__; pips before 10 import all while sys.argv does not name it yet."""
    installation = make(version).add_debundled_pip(pip_version).add_module().add_hook()
    pip(installation, *DOWNLOAD, start=("-m", module)).assert_all_ours()


@pytest.mark.parametrize("start", [("-m", "pip"), ("-m", "pip.__main__"), ("pip-2.7",)], ids=["module", "Ansible's", "script"])
def test_the_devendored_pip_of_ubuntu_14_04_is_reached(make, pip, start):
    installation = make("2.7").add_devendored_pip().add_module().add_hook()
    (installation.root / "pip-2.7").write_text("from pip import main\nraise SystemExit(main())\n", encoding="ascii")
    pip(installation, "install", "--no-deps", "--download", ".", "tb-sample", start=start).assert_all_ours()


@pytest.mark.parametrize("version", ["2.7", "3.9"])
def test_the_environment_switch_is_ignored_with_the_rest_of_the_environment(make, pip, version):
    installation = make(version).add_pip("20.3.4").add_module().add_hook()
    probe = (
        "import sys; sys.argv = ['/usr/bin/pip'];"
        "import pip._vendor.urllib3.util.ssl_ as s; print(s.SSLContext.__module__.split('.')[0])"
    )
    for flag, expected in (("-s", "ssl"), ("-E", "_tls_bootstrap")):
        done = installation.run(flag, "-c", probe, environment={"TLS_BOOTSTRAP_PIP": "0"})
        assert done.stdout.strip() == expected, done.stderr


@pytest.mark.parametrize("version", ["2.7", "3.9"])
def test_another_program_keeps_ssl_in_the_modules_that_a_debundled_pip_borrows(make, version):
    installation = make(version).add_debundled_pip("20.3.4").add_module().add_hook()
    shelf = next((installation.root / "share").rglob("*.whl"))
    done = installation.run("-c", USE_REQUESTS, str(shelf))
    assert done.stdout.split()[-2:] == ["ssl", "False"] or "('ssl', False)" in done.stdout, done.stderr


@pytest.mark.parametrize("version, pip_version", ONE_OF_EACH)
def test_nobody_but_pips_stack_holds_the_replacement(make, version, pip_version):
    installation = make(version).add_pip(pip_version).add_module().add_hook()
    done = installation.run("-c", LOOK_AT_NEIGHBOURS)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["urllib3"].startswith("_tls_bootstrap")
    assert seen["ssl"] == ["ssl"] * 3
    assert seen["import"] is True
    stack = ("pip._vendor.urllib3", "pip._vendor.requests", "pip._vendor.truststore", "_tls_bootstrap", "__main__")
    stack += ("pip._vendor.distlib.compat", "pip._vendor.distlib.util", "pip.download")
    assert [name for name in seen["holders"] if not name.startswith(stack)] == []


@pytest.mark.parametrize("version, pip_version", ONE_OF_EACH)
def test_the_environment_switches_it_off(make, pip, version, pip_version):
    installation = make(version).add_pip(pip_version).add_module().add_hook()
    pip(installation, *DOWNLOAD, environment={"TLS_BOOTSTRAP_PIP": "0"}).assert_none_ours()


#: An old pip and a new one, on Python 2 and 3.
OLD_AND_NEW = [("2.7", "8.1.2"), ("2.7", "20.3.4"), ("3.6", "9.0.3"), ("3.13", "25.1.1")]


@pytest.mark.parametrize("version, pip_version", OLD_AND_NEW)
def test_pip_says_nothing_that_it_does_not_say_without_the_hook(make, pip, version, pip_version):
    installation = make(version).add_pip(pip_version).add_module().add_hook()
    run = pip(installation, "download", "--no-deps", "--dest", "with", "tb-sample")
    run.assert_all_ours()
    installation.remove_hook()
    plain = pip(installation, "download", "--no-deps", "--dest", "without", "tb-sample")
    plain.assert_none_ours()
    assert run.err == plain.err


#: The file whose presence switches off, as the sources spell it.
SWITCH = '"/etc/tls-bootstrap/disabled"'


def move_switch(installation, source):
    """Make a source file of an installation look for the off switch inside of it; returns that path."""
    switch = installation.root / "disabled"
    text = source.read_text(encoding="utf-8")
    assert SWITCH in text
    source.unlink()  # perhaps another name of a file in the cache
    source.write_text(text.replace(SWITCH, repr(str(switch))), encoding="utf-8")
    return switch


@pytest.mark.parametrize("version, pip_version", OLD_AND_NEW)
def test_a_file_switches_it_off_for_everybody(make, pip, version, pip_version):
    installation = make(version).add_pip(pip_version).add_module().add_hook()
    switch = move_switch(installation, installation.site / "_tls_bootstrap_pip" / "program.py")
    pip(installation, *DOWNLOAD).assert_all_ours()
    switch.touch()
    pip(installation, *DOWNLOAD).assert_none_ours()


@pytest.mark.parametrize("version, pip_version", OLD_AND_NEW)
def test_no_plant_on_the_search_path_is_loaded(make, pip, version, pip_version):
    installation = make(version).add_pip(pip_version).add_module().add_hook()
    plants = installation.root / "plants"
    plants.mkdir()
    marker = installation.root / "planted"
    for name in ("_tls_bootstrap", "_tls_bootstrap_pip", "_tls_bootstrap_pip_finder"):
        text = f"open({str(marker)!r}, 'a').write(__name__)\n"
        (plants / f"{name}.py").write_text(text, encoding="ascii")
    user = installation.root / ".local" / "lib" / installation.site.parent.name / "site-packages"
    user.parent.mkdir(parents=True)
    user.symlink_to(plants)
    done = installation.run("-c", "import site; print(site.ENABLE_USER_SITE)")
    assert done.stdout.strip() == "True"
    run = pip(installation, *DOWNLOAD, environment={"PYTHONPATH": str(plants)}, cwd=plants)
    run.assert_all_ours()
    assert not marker.exists()


@pytest.mark.parametrize("version", ["2.7", "3.6"])
def test_pyopenssl_is_not_put_over_the_module_by_old_pips(make, pip, version):
    """18.1 tries PyOpenSSL always and survives only ImportError, as one with a too new cryptography."""
    installation = make(version).add_pip("18.1").add_module()
    (installation.site / "OpenSSL").mkdir()
    (installation.site / "OpenSSL" / "__init__.py").write_text("raise AttributeError('upgraded')\n", encoding="ascii")
    assert pip(installation, *DOWNLOAD).code != 0
    installation.add_hook()
    pip(installation, *DOWNLOAD).assert_all_ours()


@pytest.mark.parametrize("version, pip_version", [("3.9", "20.3.4"), ("3.10", "26.3"), ("3.13", "25.1.1")])
def test_the_pip_of_an_isolated_build_is_reached(make, pip, version, pip_version):
    installation = make(version).add_pip(pip_version).add_module().add_hook()
    run = pip(installation, "install", "--no-deps", "--no-cache-dir", "--target", "target", "tb-source")
    run.assert_all_ours()
    assert len({line["pid"] for line in run.traced}) == 2
    assert (installation.root / "target" / "tb_source.py").read_text(encoding="ascii") == "ANSWER = 42\n"


@pytest.mark.parametrize("version, pip_version", ONE_OF_EACH)
def test_an_authority_that_pip_was_not_told_to_trust_is_refused(make, pip, index, version, pip_version):
    installation = make(version).add_pip(pip_version).add_module().add_hook()
    stranger = installation.root / "stranger.pem"
    stranger.write_bytes(throwaway_chain()[0])
    before = len(index.requests)
    run = pip(installation, *DOWNLOAD, authority=stranger)
    assert run.code != 0
    assert "CERTIFICATE_VERIFY_FAILED" in run.out + run.err
    assert len(index.requests) == before
