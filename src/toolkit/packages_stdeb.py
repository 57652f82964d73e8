# SPDX-License-Identifier: Apache-2.0
"""`make stdeb`: the quick door from an sdist, OpenSSL included, to a .deb of the module, by stdeb; in dist/stdeb.

The debian/ directory that stdeb writes is dated: the packages for an archive come from `make dsc`.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from openssl.errors import BuildError
from toolkit import roots
from toolkit.commands import CLEAN_ENVIRONMENT, CommandError, run
from toolkit.packages import Source, openssl_tarball
from toolkit.packages_debian import link_or_copy
from toolkit.releases import TOP

_CONFIGURATION = """[DEFAULT]
Package3: python3-tls-bootstrap
Build-Depends: patch, perl
Depends3: python3 (>= 3.4)
Copyright-File: copyright
X-Python3-Version: >= 3.4
Suite: unstable
"""
#: Every file of the tree goes into the sdist; setuptools itself would take only the package.
_MANIFEST = "graft src\ninclude *\nglobal-exclude *.py[co]\n"


def build(source: Source, work: Path, target: Path, prebuilt: Path | None = None) -> Path:
    """Make the sdist and the .deb from it, both into ``target``; returns the .deb."""
    log = work / "stdeb.log"
    roots.remove_tree(work)
    work.mkdir(parents=True)
    environment = {**CLEAN_ENVIRONMENT, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    # stdeb writes a debian/ of its own and stumbles over another.
    tree = source.copy(work, without=("debian", "rpm"))
    shutil.copyfile(source.top / "debian" / "copyright", tree / "copyright")
    link_or_copy(openssl_tarball(), tree / f"openssl-{source.openssl_version}.tar.gz")
    (tree / "MANIFEST.in").write_text(_MANIFEST, encoding="ascii")
    (tree / "stdeb.cfg").write_text(_CONFIGURATION, encoding="ascii")
    run(["/usr/bin/python3", "setup.py", "--quiet", "sdist"], directory=tree, environment=environment, log=log)
    (archive,) = (tree / "dist").glob("*.tar.gz")
    if prebuilt:
        # Stripped already, and packaged as the very files that were tested.
        environment |= {"PREBUILT": str(prebuilt), "DEB_BUILD_OPTIONS": "nostrip"}
    options = ["--with-python3=True", "--with-python2=False", "--extra-cfg-file", tree / "stdeb.cfg"]
    run(["py2dsc-deb", *options, "-d", work / "made", archive], directory=work, environment=environment, log=log, timeout=3600)
    made = sorted((work / "made").glob("python3-tls-bootstrap_*.deb"))
    if len(made) != 1:
        raise CommandError(f"stdeb left {len(made)} packages python3-tls-bootstrap, not one; see {log}")
    target.mkdir(parents=True, exist_ok=True)
    shutil.copy2(archive, target)
    return Path(shutil.copy2(made[0], target))


def main() -> int:
    """Make dist/stdeb."""
    try:
        prebuilt = os.environ.get("PREBUILT")
        made = build(Source(), TOP / "build" / "stdeb", TOP / "dist" / "stdeb", Path(prebuilt) if prebuilt else None)
    except (CommandError, BuildError, OSError, ValueError) as error:
        print(f"stdeb: {error}", file=sys.stderr)
        return 2
    print(made.relative_to(TOP))
    return 0


if __name__ == "__main__":
    sys.exit(main())
