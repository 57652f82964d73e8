# SPDX-License-Identifier: Apache-2.0
"""The source packages build from source, with nothing prebuilt, in clean roots without network; and what comes out works."""

import re
import shutil

import pytest
from toolkit import packages, packages_clean, packages_rpm, packages_stdeb, published, releases, roots
from toolkit.commands import run

SOURCE = packages.Source()


@pytest.fixture(
    scope="module",
    params=[(codename, flavour) for codename in ("bookworm", "bullseye", "trixie") for flavour in ("system", "bundled")],
    ids="-".join,
)
def built(request, work):
    """(release, flavour, packages) as pbuilder left them."""
    codename, flavour = request.param
    release = releases.by_name(codename)
    return release, flavour, packages_clean.build(SOURCE, release, flavour, work / "pbuilder" / f"{codename}-{flavour}")


def named(made, name):
    return next(path for path in made if path.name.startswith(f"{name}_"))


def test_every_package_is_built_and_the_log_shows_that_it_was_compiled(built):
    release, flavour, made = built
    names = {path.name.split("_")[0] for path in made if "-dbgsym" not in path.name}
    wanted = {"python3-tls-bootstrap", "python3-tls-bootstrap-pip", "tls-bootstrap", "tls-bootstrap-pip"}
    if release.python2:
        wanted |= {"python2-tls-bootstrap", "python2-tls-bootstrap-pip"}
    assert names == wanted
    assert any("python3-tls-bootstrap-dbgsym" in path.name for path in made)
    log = (packages_clean.WORK / f"{release.codename}-{flavour}.log").read_text(errors="replace")
    assert re.search(r"-fstack-protector-strong .*-c src/core/context\.c", log), "the distribution's flags"
    assert ("openssl 3.5" in log) == (flavour == "bundled")
    depends = run(["dpkg-deb", "--field", named(made, "python3-tls-bootstrap"), "Depends"]).output
    assert ("libssl" in depends) == (flavour == "system")


def test_what_was_built_is_installed_and_proven(built, make_root):
    release, _, made = built
    root = make_root(release.codename, f"source-{release.codename}")
    wanted = ("python3-tls-bootstrap", "python3-tls-bootstrap-pip", "tls-bootstrap", "tls-bootstrap-pip")
    for name in wanted:
        shutil.copy(named(made, name), root.path / "tmp" / f"{name}.deb")
    root.run(["apt-get", "--yes", "--no-install-recommends", "install", *(f"/tmp/{name}.deb" for name in wanted)])
    done = root.run(["tls-bootstrap", "check"], user=roots.USER, check=False)
    assert done.status == 0, done.output
    assert root.run(["dpkg", "--verify", *wanted]).output == ""


RPM_BUILDER = roots.Recipe(
    "rpm-builder", "bullseye", ("rpm", "make", "gcc", "libc6-dev", "patch", "perl", "python3", "python3-dev", "gzip", "cpio")
)


def test_the_source_rpm_builds_without_network_from_what_it_holds(work):
    """The stack of the builder's own Python; what the spec asks for of the others is not to be had under Debian's names."""
    log = work / "srpm.log"
    log.unlink(missing_ok=True)
    root = roots.unpack(RPM_BUILDER, work / "roots" / "rpm-builder", log)
    try:
        release = releases.by_name("el9")
        packages_rpm.lay_out(root, SOURCE, work / "srpm-sources")
        made = packages_rpm.build_source(root, work / "srpm", release)
        root.run(["rm", "-rf", "/rpmbuild"])
        shutil.copy(made, root.path / "var" / "tmp" / made.name)
        options = packages_rpm.defines(release, {"3.9": "/usr/bin/python3.9"})
        # CACHE empty: everything below the build directory.
        root.run(
            ["rpmbuild", "--rebuild", "--nodeps", *options, f"/var/tmp/{made.name}"],
            environment={"CACHE": ""}, network=False, timeout=3600,
        )  # fmt: skip
        (package,) = (root.path / "root" / "rpmbuild" / "RPMS").rglob("python3-tls-bootstrap-0*.rpm")
        provides = run(["rpm", "-qp", "--provides", package]).output
        assert f"bundled(openssl) = {SOURCE.openssl_version}" in provides
        text = log.read_text(errors="replace")
        assert "ok TLSv1.3" in text, "%check ran"
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
