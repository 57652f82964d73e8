# SPDX-License-Identifier: Apache-2.0
"""The packages that make the repository itself known: tls-bootstrap-archive-keyring and tls-bootstrap-release.

They hold the key and the address, so they are made when the repository is, by dpkg-deb and rpmbuild.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
from pathlib import Path

from toolkit import repository
from toolkit.commands import CLEAN_ENVIRONMENT, run
from toolkit.packages import MAINTAINER, Source, debian_changelog, rpm_changelog
from toolkit.releases import Release
from toolkit.signing import Key

KEYRING = "tls-bootstrap-archive-keyring"
RELEASE = "tls-bootstrap-release"

_OVERRIDES = """# Making apt know one repository is what this package is for.
package-installs-apt-sources *
# The name that all releases know; in trusted.gpg.d Ubuntu 14.04 reads no other.
openpgp-file-has-implementation-specific-extension *
# Published outside of the archive: there is no bug that asks for the package.
initial-upload-closes-no-bugs *
"""

_CONTROL = """Package: {name}
Version: {version}
Architecture: all
Maintainer: {maintainer}
Installed-Size: {size}
Section: misc
Priority: optional
Multi-Arch: foreign
Homepage: https://example.org/tls-bootstrap
Description: key and address of the tls-bootstrap packages
 The address of the signed apt repository of tls-bootstrap for {title},
 and the key that its packages are verified with. Installing it makes apt ask
 that repository; purging it makes apt forget it.
"""


def keyring(source: Source, release: Release, url: str, key: Key, work: Path, target: Path, log: Path) -> Path:
    """The .deb of a deb release in the directory ``target``; ``url`` is the apt repository's."""
    version = f"{source.version}-1{release.suffix}"
    tree = work / f"{KEYRING}-{release.codename}"
    shutil.rmtree(tree, ignore_errors=True)
    documentation = tree / "usr" / "share" / "doc" / KEYRING
    documentation.mkdir(parents=True)
    where, text = repository.apt_source(url, release)
    key_path = repository.apt_key_path(release)
    for path in (where, key_path):
        (tree / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
    (tree / where.lstrip("/")).write_text(text, encoding="ascii")
    key.export(tree / key_path.lstrip("/"), armor=False)
    changelog = debian_changelog(source.history, release.suffix, release.codename).replace("tls-bootstrap (", f"{KEYRING} (")
    (documentation / "changelog.Debian.gz").write_bytes(gzip.compress(changelog.encode(), mtime=0))
    shutil.copyfile(source.top / "debian" / "copyright", documentation / "copyright")
    overrides = tree / "usr" / "share" / "lintian" / "overrides" / KEYRING
    overrides.parent.mkdir(parents=True)
    overrides.write_text(_OVERRIDES, encoding="ascii")
    files = sorted(path for path in tree.rglob("*") if path.is_file())
    debian = tree / "DEBIAN"
    debian.mkdir()
    size = sum(path.stat().st_size for path in files) // 1024 + len(files)
    control = _CONTROL.format(name=KEYRING, version=version, maintainer=MAINTAINER, size=size, title=release.title)
    (debian / "control").write_text(control, encoding="utf-8")
    in_etc = [f"/{path.relative_to(tree)}\n" for path in files if path.relative_to(tree).parts[0] == "etc"]
    (debian / "conffiles").write_text("".join(in_etc), encoding="ascii")
    sums = [f"{hashlib.md5(path.read_bytes()).hexdigest()}  {path.relative_to(tree)}\n" for path in files]
    (debian / "md5sums").write_text("".join(sums), encoding="ascii")
    for path in tree.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    moment = int(source.history[0].moment.timestamp())
    package = target / f"{KEYRING}_{version}_all.deb"
    run(
        ["dpkg-deb", "--root-owner-group", "--no-uniform-compression", "-Zxz", "--build", tree, package],
        environment={**CLEAN_ENVIRONMENT, "SOURCE_DATE_EPOCH": str(moment)},
        log=log,
    )
    shutil.rmtree(tree)
    return package


def release_package(source: Source, release: Release, url: str, key: Key, work: Path, log: Path) -> list[Path]:
    """The .rpm of an rpm release and its source package, below ``work``; ``url`` is the yum repository's."""
    place = work / f"{RELEASE}-{release.codename}"
    shutil.rmtree(place, ignore_errors=True)
    sources = place / "SOURCES"
    sources.mkdir(parents=True)
    _, text = repository.yum_source(f"{url}/{release.codename}/$basearch", title=f"tls-bootstrap for {release.title}")
    _, more = repository.yum_source(
        f"{url}/{release.codename}/{repository.SOURCE}", "tls-bootstrap-source", f"tls-bootstrap for {release.title}, source"
    )
    (sources / "tls-bootstrap.repo").write_text(f"{text}\n{more.replace('enabled=1', 'enabled=0')}", encoding="ascii")
    key.export(sources / repository.YUM_KEY, armor=True)
    shutil.copyfile(source.top / "LICENSE", sources / "LICENSE")
    spec = (source.top / "rpm" / f"{RELEASE}.spec").read_text(encoding="utf-8")
    spec = spec.replace("%changelog\n", f"%changelog\n{rpm_changelog(source.history)}")
    (place / f"{RELEASE}.spec").write_text(spec, encoding="utf-8")
    macros = {"_topdir": str(place), "dist": release.suffix, "rhel": release.number, "upstream_version": source.version}
    defines = [word for name, value in macros.items() for word in ("--define", f"{name} {value}")]
    run(
        ["rpmbuild", "-ba", "--target", "noarch", *defines, place / f"{RELEASE}.spec"],
        environment={**CLEAN_ENVIRONMENT, "HOME": str(place)},
        log=log,
    )
    return sorted(place.rglob("*.rpm"))


def default_url() -> str:
    """The address that is written into the packages: REPOSITORY, or a name that stands for the publisher's."""
    return os.environ.get("REPOSITORY") or "http://packages.example.org/tls-bootstrap"
