# SPDX-License-Identifier: Apache-2.0
"""`_tls_bootstrap`, then PyOpenSSL, then `ssl`: on real Pythons whose `ssl` is missing or crippled."""

from __future__ import annotations

import platform
import re
from pathlib import Path

import pytest
from toolkit.pip_matrix.installations import SOURCE

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="the pinned wheels of cryptography are for x86_64")

PYOPENSSL = ("pyOpenSSL==21.0.0", "pycparser==2.21", "six==1.16.0", "idna==2.10")
BINARIES = {
    "2.7": ("cryptography==3.3.2 cp27-cp27mu", "cffi==1.15.1 cp27-cp27mu", "enum34==1.1.10", "ipaddress==1.0.23"),
    "3.6": ("cryptography==3.3.2 cp36-abi3", "cffi==1.15.1 cp36-cp36m"),
}
# As 2.7.6 and 3.4 on an OpenSSL without TLS 1.2: no SNI, no TLS 1.2, and on 2.7 no SSLContext.
CRIPPLED = """
import sys
_own = globals() if sys.version_info[0] == 3 else {{"__name__": "ssl", "__file__": {real!r}}}
with open({real!r}, "rb") as _stream:
    exec(compile(_stream.read(), {real!r}, "exec"), _own)
if sys.version_info[0] == 2:  # its functions go on with what the module does not have any more
    globals().update((_name, _own[_name]) for _name in _own if _name not in ("SSLContext", "create_default_context"))
HAS_SNI = False
del PROTOCOL_TLSv1_2
"""
RUN_PIP = """
import sys
sys.argv = ["/usr/bin/pip", "-v"] + sys.argv[1:]
try:
    from pip._internal.cli.main import main
except ImportError:
    from pip import main
code = main(sys.argv[1:])
bridge = [module for name, module in sys.modules.items() if module and name.endswith("urllib3.util.ssl_")][0]
print("BELOW URLLIB3: %s %s" % (bridge.IS_PYOPENSSL, bridge.SSLContext.__module__))
sys.exit(code)
"""
FIND = "import detection; name, module = detection.find_tls({needs}); print('%s %s' % (name, module.__name__))"


def cripple(installation):
    library = installation.site.parent
    real = (library / "ssl.py").resolve()
    (library / "ssl.py").unlink()
    (library / "ssl.py").write_text(CRIPPLED.format(real=str(real)), encoding="ascii")
    return installation


def remove_ssl(installation):
    """A Python that was built without OpenSSL: `import ssl` fails for want of `_ssl`."""
    dynamic = installation.site.parent / "lib-dynload"
    real = dynamic.resolve()
    dynamic.unlink()
    dynamic.mkdir()
    for path in real.iterdir():
        if not path.name.startswith("_ssl."):
            (dynamic / path.name).symlink_to(path)
    assert installation.run("-c", "import ssl").returncode == 1
    return installation


def download(installation, pip):
    words = ("download", "--no-deps", "--dest", "downloads", "tb-sample")
    run = pip(installation, *words, start=("-c", RUN_PIP))
    return run, re.search(r"BELOW URLLIB3: (\w+) (\S+)", run.out)


@pytest.mark.parametrize("version, pip_version", [("2.7", "9.0.3"), ("2.7", "20.3.4"), ("3.6", "9.0.3")])
def test_without_the_module_pyopenssl_helps_a_crippled_ssl(make, pip, version, pip_version):
    installation = cripple(make(version).add_pip(pip_version).add_module().add_hook())
    installation.add_wheels(*PYOPENSSL, *BINARIES[version])
    run, below = download(installation, pip)
    assert run.code == 0, run.out + run.err
    assert below.groups() == ("False", "_tls_bootstrap"), run.err
    installation.core.unlink()
    run, below = download(installation, pip)
    assert run.code == 0, run.out + run.err
    assert run.traced == [] and run.connections > 0
    assert below.group(1) == "True" and below.group(2).endswith("urllib3.contrib.pyopenssl")
    assert "pip goes on with PyOpenSSL" in run.err


@pytest.mark.parametrize("version", ["2.7", "3.6"])
def test_without_module_and_pyopenssl_even_a_crippled_ssl_is_used(make, pip, version):
    installation = cripple(make(version).add_pip("9.0.3").add_module().add_hook())
    installation.core.unlink()
    run, below = download(installation, pip)
    assert run.code == 0, run.out + run.err
    assert below.group(1) == "False" and not below.group(2).startswith("_tls_bootstrap")


@pytest.mark.parametrize("version", ["2.7", "3.6"])
def test_a_pyopenssl_that_cannot_be_loaded_is_passed_over(make, pip, version):
    """As on Ubuntu 20.04 after an upgrade of cryptography: not an ImportError."""
    installation = cripple(make(version).add_pip("9.0.3").add_module().add_hook())
    (installation.site / "OpenSSL").mkdir()
    (installation.site / "OpenSSL" / "__init__.py").write_text("raise AttributeError('upgraded')\n", encoding="ascii")
    installation.core.unlink()
    run, below = download(installation, pip)
    assert run.code == 0, run.out + run.err
    assert below.group(1) == "False"


def test_a_pyopenssl_whose_bridge_lacks_idna_is_passed_over(make, pip):
    """pip 9's bridge imports idna when it has connected: too late to choose another."""
    installation = cripple(make("3.6").add_pip("9.0.3").add_module().add_hook())
    installation.add_wheels(*PYOPENSSL[:-1], *BINARIES["3.6"])
    installation.core.unlink()
    run, below = download(installation, pip)
    assert run.code == 0, run.out + run.err
    assert below.group(1) == "False"


def test_a_healthy_ssl_is_preferred_to_pyopenssl(make, pip):
    installation = make("3.6").add_pip("9.0.3").add_module().add_hook().add_wheels(*PYOPENSSL, *BINARIES["3.6"])
    installation.core.unlink()
    run, below = download(installation, pip)
    assert below.groups() == ("False", "ssl")
    assert "pip goes on with ssl" in run.err


# Not pip 8 on 2.7: its distlib imports urllib2's HTTPSHandler, which is not there without `ssl`, and pip does not start.
@pytest.mark.parametrize(
    "version, pip_version", [("2.7", "20.3.4"), ("3.6", "9.0.3"), ("3.6", "20.3.4"), ("3.9", "20.3.4"), ("3.13", "25.1.1")]
)
def test_a_python_without_ssl_downloads_by_the_module(make, pip, version, pip_version):
    installation = remove_ssl(make(version).add_pip(pip_version).add_module().add_hook())
    pip(installation, "download", "--no-deps", "--dest", "downloads", "tb-sample").assert_all_ours()


@pytest.mark.parametrize("version, pip_version", [("2.7", "8.1.2"), ("2.7", "20.3.4"), ("3.6", "9.0.3")])
def test_without_ssl_and_module_pip_says_what_it_says_without_the_hook(make, pip, version, pip_version):
    """PyOpenSSL cannot help there: it is reached through pip's own bridge, which imports `ssl` itself."""
    installation = remove_ssl(make(version).add_pip(pip_version).add_wheels(*PYOPENSSL, *BINARIES[version]))
    (bridge,) = installation.site.glob("pip/_vendor/**/contrib/pyopenssl.py")
    assert re.search(r"^import ssl$", bridge.read_text(encoding="utf-8"), re.MULTILINE)
    words = ("-W", "ignore", "-m", "pip"), ("download", "--no-deps", "--dest", "downloads", "tb-sample")
    plain = pip(installation, *words[1], start=words[0])
    installation.add_module().add_hook()
    installation.core.unlink()
    hooked = pip(installation, *words[1], start=words[0])
    assert plain.code == hooked.code != 0 and plain.connections == hooked.connections == 0
    assert hooked.err == plain.err


@pytest.mark.parametrize("version", ["2.7", "3.6"])
def test_the_function_for_other_programs_stands_on_the_same_rungs(make, version):
    installation = make(version).add_module().add_wheels(*PYOPENSSL, *BINARIES[version])
    source = SOURCE / "src" / "pip_hook" / "_tls_bootstrap_pip" / "detection.py"
    (installation.site / "detection.py").write_bytes(source.read_bytes())

    def found(needs="()"):
        done = installation.run("-W", "ignore", "-c", FIND.format(needs=needs))
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    assert found("['MemoryBIO']") == ["_tls_bootstrap", "_tls_bootstrap"]
    installation.core.write_bytes(b"")
    assert found() == ["ssl", "ssl"]
    # 2.7's ssl cannot do TLS in memory.
    assert found("['MemoryBIO']")[0] == ("PyOpenSSL" if version == "2.7" else "ssl")
    cripple(installation)
    assert found() == ["PyOpenSSL", "OpenSSL.SSL"]
    (installation.site / "OpenSSL" / "__init__.py").write_text("raise AttributeError('upgraded')\n", encoding="ascii")
    assert found() == ["ssl", "ssl"]


def test_the_documentation_has_the_function_as_it_is():
    source = (SOURCE / "src" / "pip_hook" / "_tls_bootstrap_pip" / "detection.py").read_text(encoding="utf-8")
    function = source[source.index("def find_tls") :].rstrip()
    text = Path(SOURCE, "docs", "redistributors.md").read_text(encoding="utf-8")
    assert "\n".join(("    " + line).rstrip() for line in function.splitlines()) in text
