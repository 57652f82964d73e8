# SPDX-License-Identifier: Apache-2.0
"""The door for sdist, wheel and stdeb. It makes what `make build` makes, by the same code, and installs the module alone.

An sdist made by `make stdeb` holds OpenSSL's tarball; elsewhere OPENSSL_TARBALL names it, PREBUILT a built tree, and
FLAVOUR=system takes the system's OpenSSL.
"""

import glob
import os
import shutil
import subprocess
import sys

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py
from setuptools.command.install_egg_info import install_egg_info

TOP = os.path.dirname(os.path.abspath(__file__))
PACKAGE = "_tls_bootstrap"
FLAVOUR = os.environ.get("FLAVOUR") or "bundled"


def text_of(name):
    with open(os.path.join(TOP, name), "rb") as stream:
        return stream.read().decode("utf-8")


class BuildByMake(build_py):
    """Compile through core.build, then copy the tree for this major version of Python."""

    def run(self):
        environ = dict(os.environ, PYTHONPATH=os.path.join(TOP, "src"), PYTHON=sys.executable)
        other = "PYTHON2" if sys.version_info[0] == 3 else "PYTHON3"
        environ.update({"PYTHON%d" % sys.version_info[0]: sys.executable, other: ""})
        tarballs = glob.glob(os.path.join(TOP, "openssl-*.tar.gz"))
        if tarballs:
            environ.setdefault("OPENSSL_TARBALL", tarballs[0])
        subprocess.check_call([sys.executable, "-m", "core.build", "--flavour", FLAVOUR], cwd=TOP, env=environ)
        tree = os.path.join(TOP, "build", *([] if FLAVOUR == "bundled" else [FLAVOUR]) + ["py%d" % sys.version_info[0]])
        target = os.path.join(self.build_lib, PACKAGE)
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(os.path.join(tree, PACKAGE), target)


class NoMetadata(install_egg_info):
    """`pip list` must never see the private module, as in the distributions' own packages."""

    def run(self):
        pass


class BinaryDistribution(Distribution):
    """Holds a compiled file."""

    def has_ext_modules(self):
        return True


setup(
    name="tls-bootstrap",
    version=text_of("VERSION").strip(),
    description="modern TLS for the system Python, independent of its ssl module",
    long_description=text_of("README.md"),
    long_description_content_type="text/markdown",
    author="tls-bootstrap maintainers",
    author_email="tls-bootstrap@lists.example.org",
    url="https://example.org/tls-bootstrap",
    license="Apache-2.0",
    python_requires=">=2.7.5,!=3.0.*,!=3.1.*,!=3.2.*,!=3.3.*",
    packages=[PACKAGE],
    package_dir={"": "src"},
    distclass=BinaryDistribution,
    cmdclass={"build_py": BuildByMake, "install_egg_info": NoMetadata},
)
