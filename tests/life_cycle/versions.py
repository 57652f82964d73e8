# SPDX-License-Identifier: Apache-2.0
"""A system of either family with two versions of the packages to choose from."""

from dataclasses import dataclass

from toolkit import releases, roots, tree
from toolkit.managers import Apt, Dnf

NAMES = [
    "python2-tls-bootstrap", "python2-tls-bootstrap-pip", "python3-tls-bootstrap", "python3-tls-bootstrap-pip", "tls-bootstrap",
    "tls-bootstrap-pip",
]  # fmt: skip
#: What is typed for each pip of the roots; the bullseye root with Python 2.7 has no pip for its Python 3.
PIPS = {"apt": ["/usr/local/bin/pip2"], "dnf": ["/usr/bin/pip2", "/usr/bin/pip3"]}
PYTHONS = ["/usr/bin/python2.7", "/usr/bin/python3.9"]


@dataclass
class System:
    """A root with its manager and the address of the repositories."""

    root: roots.Root
    manager: object
    old: str
    new: str

    @property
    def kind(self):
        return self.manager.name

    def version(self, package, version):
        """How the manager is asked for one version of a package."""
        if self.kind == "apt":
            return f"{package}={version}-1{releases.by_name('bullseye').suffix}"
        return f"{package}-{version}"

    def install(self, version, *, verb="install", check=True):
        """Install or downgrade all packages to a version."""
        wanted = [self.version(name, version) for name in NAMES]
        if self.kind == "apt":
            options = ["--allow-downgrades"] if verb == "downgrade" else []
            return self.root.run(["apt-get", "install", "--yes", *options, *wanted], check=check)
        return self.root.run(["dnf", "--assumeyes", "--releasever=9", verb, *wanted], check=check)

    def reinstall(self):
        """All packages once more, in the version that is installed."""
        if self.kind == "dnf":
            return self.root.run(["dnf", "--assumeyes", "--releasever=9", "reinstall", *NAMES])
        version = self.installed_version()
        words = ["apt-get", "install", "--yes", "--reinstall", "--allow-downgrades"]
        return self.root.run([*words, *(self.version(name, version) for name in NAMES)])

    def verify(self):
        """What the manager's own comparison of files with packages says; empty is good."""
        return self.verify_only(*NAMES)

    def verify_only(self, *packages):
        """The same for some packages."""
        command = ["dpkg", "--verify"] if self.kind == "apt" else ["rpm", "--verify", "--nodeps"]
        return self.root.run([*command, *packages], check=False).output

    def installed_version(self):
        return self.root.run(["tls-bootstrap", "version"]).output.split()[-1]

    def module_versions(self):
        """What the module of each Python says of itself, both halves."""
        program = "import _tls_bootstrap as t; from _tls_bootstrap import _core; print(t.__version__)"
        return {self.root.run([python, "-B", "-c", program]).output.strip() for python in PYTHONS}

    def check(self):
        """Exit status of the check as an ordinary user, for every pip of the root."""
        pips = [word for pip in PIPS[self.kind] for word in ("--pip", pip)]
        done = self.root.run(["tls-bootstrap", "check", "--json", *pips], user=roots.USER, check=False)
        return done.status, done.output

    def pip_works(self):
        """Empty when each pip can be started; else what those that cannot say."""
        results = {name: self.root.run([name, "list", "--disable-pip-version-check"], check=False) for name in PIPS[self.kind]}
        return {name: done.output for name, done in results.items() if done.status}

    def snapshot(self):
        return tree.snapshot(self.root.path)


def add(system, repositories, url):
    system.manager.add_repository(repositories, url)
    system.manager.refresh()


def made(kind, name, work, old, new, apt_root):
    """A fresh system."""
    log = work / f"{name}-{kind}.log"
    log.unlink(missing_ok=True)
    recipe = apt_root if kind == "apt" else roots.RPM
    root = roots.unpack(recipe, work / "roots" / f"{name}-{kind}", log)
    if kind == "apt":
        manager = Apt(root, releases.by_name("bullseye"))
    else:
        manager = Dnf(root, [releases.by_name(codename) for codename in ("el9", "el8")])
    return System(root, manager, old, new)
