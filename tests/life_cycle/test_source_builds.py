# SPDX-License-Identifier: Apache-2.0
"""The source packages build from source, with nothing prebuilt, in clean roots without network; and what comes out works."""

import itertools
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from toolkit import (
    debian_checks, packages, packages_clean, packages_debian, packages_rpm, packages_stdeb, published, releases, releases_facts,
    repository, roots, successor,
)  # fmt: skip
from toolkit.commands import run

SOURCE = packages.Source()


SUITES = [release.codename for release in releases.at_hand()]


@dataclass
class Built:
    """What pbuilder left for one release and flavour, and the tree that it was made of."""

    release: releases.Release
    flavour: str
    directory: Path
    source: packages.Source

    @property
    def debs(self):
        return sorted(self.directory.glob("*.deb"))

    @property
    def log(self):
        path = debian_checks.WORK / f"{self.release.codename}-{self.flavour}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


@pytest.fixture(scope="module")
def successor_source(work):
    """The version after this one: what is built here is an upgrade from what is published."""
    return successor.tree(SOURCE, work / "source-successor")


@pytest.fixture(scope="module", params=itertools.product(SUITES, ("system", "bundled")), ids="-".join)
def built(request, work, successor_source):
    """Built in a clean root without network."""
    codename, flavour = request.param
    place = work / "pbuilder" / f"{codename}-{flavour}"
    made = Built(releases.by_name(codename), flavour, place, successor_source)
    made.log.unlink(missing_ok=True)
    packages_clean.build(successor_source, made.release, flavour, place)
    return made


@pytest.fixture(scope="module")
def earlier(work):
    """The address of repositories that hold this version, from the portable binaries, for the same releases."""
    wanted = [published.Wanted(releases.by_name(codename), (published.native(),)) for codename in SUITES]
    made = published.build_packages(wanted, work, print)
    with repository.served(published.publish(made, work / "earlier", work, work / "gnupg", print)) as url:
        yield url


def named(made, name):
    return next(path for path in made if path.name.startswith(f"{name}_"))


def test_every_package_is_built_and_the_log_shows_that_it_was_compiled(built):
    names = {path.name.split("_")[0] for path in debian_checks.binaries(built.directory)}
    wanted = {"python3-tls-bootstrap", "python3-tls-bootstrap-pip", "tls-bootstrap", "tls-bootstrap-pip"}
    if built.release.python2:
        wanted |= {"python2-tls-bootstrap", "python2-tls-bootstrap-pip"}
    assert names == wanted
    assert any("python3-tls-bootstrap-dbgsym" in path.name for path in built.debs)
    log = (packages_clean.WORK / f"{built.release.codename}-{built.flavour}.log").read_text(errors="replace")
    assert re.search(r"-fstack-protector-strong .*-c src/core/context\.c", log), "the distribution's flags"
    assert ("openssl 3.5" in log) == (built.flavour == "bundled")
    (record,) = built.directory.glob("*.buildinfo")
    assert releases_facts.wrong_in_build(built.release, record.read_text(encoding="utf-8")) == {}
    depends = run(["dpkg-deb", "--field", named(built.debs, "python3-tls-bootstrap"), "Depends"]).output
    assert ("libssl" in depends) == (built.flavour == "system")


def test_what_was_built_is_installed_and_proven(built, make_root):
    root = make_root(built.release.codename, f"source-{built.release.codename}")
    wanted = ("python3-tls-bootstrap", "python3-tls-bootstrap-pip", "tls-bootstrap", "tls-bootstrap-pip")
    for name in wanted:
        shutil.copy(named(built.debs, name), root.path / "tmp" / f"{name}.deb")
    assert releases_facts.wrong_in_root(built.release, root) == {}
    root.run(["apt-get", "--yes", "--no-install-recommends", "install", *(f"/tmp/{name}.deb" for name in wanted)])
    done = root.run(["tls-bootstrap", "check"], user=roots.USER, check=False)
    assert done.status == 0, done.output
    assert root.run(["dpkg", "--verify", *wanted]).output == ""


def test_the_releases_own_lintian_has_nothing_to_say_that_is_not_explained(built):
    files = sorted(path for path in built.directory.iterdir() if path.is_file())
    said = debian_checks.lintian(built.release, files, built.log)
    assert not re.search("^[EWP]: ", said, re.MULTILINE)


def test_the_packages_own_tests_pass_by_autopkgtest(built):
    tree = packages_debian.source_tree(built.source, built.directory / "tree", built.release, built.flavour)
    results = debian_checks.autopkgtest(built.release, tree, debian_checks.binaries(built.directory), built.log)
    assert results == {name: f"{name:20} PASS" for name in ("check", "module", "removal")}


def test_piuparts_installs_purges_and_upgrades_from_what_is_published(built, earlier):
    passed = debian_checks.piuparts(built.release, debian_checks.binaries(built.directory), earlier, built.log)
    wanted = ["PASS: Installation and purging test.", "PASS: Installation, upgrade and purging tests.", "PASS: All tests."]
    assert passed == wanted


#: What the spec's BuildRequires name -> what must be there in a root that claims to provide it.
FOR_ALL = {
    "make": "/usr/bin/make", "gcc": "/usr/bin/gcc", "python3-devel": "/usr/include/python3.9/Python.h",
}  # fmt: skip
FOR_BUNDLED = {"patch": "/usr/bin/patch", "/usr/bin/perl": "/usr/bin/perl"}
FOR_SYSTEM = {"openssl-devel": "/usr/include/openssl/ssl.h", "pkgconfig": "/usr/bin/pkg-config"}
#: Modules that come with every interpreter (perl-libs), and OpenSSL's own.
OF_PERL = {"strict", "warnings", "Config", "PerlIO", "feature", "integer"}
OF_OPENSSL = re.compile(r"OpenSSL::|platform|configdata$|gentemplate$|Text::Template$")

_BUILDER = ("rpm", "make", "gcc", "libc6-dev", "python3", "python3-dev", "gzip", "cpio")
RPM_BUILDERS = {
    "bundled": (roots.Recipe("rpm-builder", "bullseye", (*_BUILDER, "patch", "perl")), FOR_ALL | FOR_BUNDLED),
    "system": (roots.Recipe("rpm-builder-system", "bullseye", (*_BUILDER, "libssl-dev", "pkg-config")), FOR_ALL | FOR_SYSTEM),
}

#: Enters names into rpm's database, which knows nothing of what Debian's dpkg installed.
_CLAIM = """Name: builder
Version: 1
Release: 1
Summary: What is installed in this root, by the names of Enterprise Linux
License: none
{provides}
%description
Claims.
%files
"""


def claim(root, capabilities):
    """Let rpm know what the root has."""
    provides = "\n".join(f"Provides: {name}" for name in sorted(capabilities))
    root.write("/tmp/claim/builder.spec", _CLAIM.format(provides=provides))
    root.run(["rpmbuild", "-bb", "--quiet", "--define", "_topdir /tmp/claim", "/tmp/claim/builder.spec"])
    (made,) = (root.path / "tmp" / "claim" / "RPMS").rglob("builder-1-1*.rpm")
    root.run(["rpm", "--install", str(made)[len(str(root.path)) :]])


def is_there(root, name, proof):
    module = re.fullmatch(r"perl\((.+)\)", name)
    if module:
        return root.run(["perl", f"-M{module[1]}", "-e", "1"], check=False).status == 0
    return (root.path / proof.lstrip("/")).exists()


@pytest.mark.parametrize("flavour", sorted(RPM_BUILDERS))
def test_the_source_rpm_builds_without_network_from_its_build_requires_alone(flavour, work):
    """The stack of the builder's own Python; what the spec asks for of the others is not to be had under Debian's names."""
    recipe, proofs = RPM_BUILDERS[flavour]
    log = work / f"srpm-{flavour}.log"
    log.unlink(missing_ok=True)
    root = roots.unpack(recipe, work / "roots" / recipe.name, log)
    try:
        release = releases.by_name("el9")
        packages_rpm.lay_out(root, SOURCE, work / f"srpm-sources-{flavour}")
        made = packages_rpm.build_source(root, work / f"srpm-{flavour}", release)
        root.run(["rm", "-rf", "/rpmbuild"])
        root.write(f"/var/tmp/{made.name}", made.read_bytes())
        options = packages_rpm.defines(release, {"3.9": "/usr/bin/python3.9"})
        options += [] if flavour == "bundled" else ["--without=bundled_openssl"]
        root.write("/tmp/Asked.pm", Path(__file__).with_name("Asked.pm").read_bytes())
        # CACHE empty: everything below the build directory.
        environment = {"CACHE": "", "PERL5OPT": "-I/tmp -MAsked", "ASKED_LOG": "/tmp/asked"}

        def rebuild(**more):
            words = ["rpmbuild", "--rebuild", *options, f"/var/tmp/{made.name}"]
            return root.run(words, environment=environment, network=False, timeout=3600, **more)

        refused = rebuild(check=False)
        assert refused.status != 0, "nothing is there by rpm's own knowledge, and yet it built"
        needed = set(re.findall(r"^\s+(\S+) is needed by", refused.output, re.MULTILINE))
        modules = {name for name in needed if name.startswith("perl(")}
        assert needed - modules == set(proofs)
        assert bool(modules) == (flavour == "bundled")
        absent = [name for name in sorted(needed) if not is_there(root, name, proofs.get(name, ""))]
        assert absent == []
        claim(root, needed)
        rebuild()

        (package,) = (root.path / "root" / "rpmbuild" / "RPMS").rglob("python3-tls-bootstrap-0*.rpm")
        provides = run(["rpm", "-qp", "--provides", package]).output
        assert (f"bundled(openssl) = {SOURCE.openssl_version}" in provides) == (flavour == "bundled")
        requires = run(["rpm", "-qp", "--requires", package]).output
        assert ("libssl.so" in requires) == (flavour == "system")
        assert "ok TLSv1.3" in log.read_text(errors="replace"), "%check ran"
        if flavour == "bundled":
            asked = (root.path / "tmp" / "asked").read_text().splitlines()
            names = {name[: -len(".pm")].replace("/", "::") for name in asked}
            assert "IPC::Cmd" in names, "nothing was noted"
            wanted = {name for name in names if not OF_OPENSSL.match(name)} - OF_PERL
            assert {f"perl({name})" for name in wanted} - modules == set(), "the spec must name these"
    finally:
        root.remove()


def test_the_quick_door_gives_the_same_payload(work, repositories):
    prebuilt = published.portable_tree()
    made = packages_stdeb.build(SOURCE, work / "stdeb", work / "stdeb-made", prebuilt)
    codename = "bookworm"
    ours = next((repositories / "apt" / "pool" / codename).glob("python3-tls-bootstrap_*_amd64.deb"))
    payloads = []
    for number, package in enumerate((made, ours)):
        place = work / f"payload-{number}"
        shutil.rmtree(place, ignore_errors=True)
        run(["dpkg-deb", "--extract", package, place])
        top = place / "usr" / "lib" / "python3" / "dist-packages"
        payloads.append({
            str(path.relative_to(top)): path.read_bytes() for path in top.rglob("*") if path.is_file() and path.suffix != ".pyc"
        })
    assert payloads[0].keys() == payloads[1].keys()
    assert payloads[0] == payloads[1]
