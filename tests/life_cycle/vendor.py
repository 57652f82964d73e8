# SPDX-License-Identifier: Apache-2.0
"""Packages as a vendor might make them one day: the module of ours that is installed, with a mark, under the vendor's names."""

from toolkit.commands import run

SITE = {"apt": "/usr/lib/python3/dist-packages", "dnf": "/usr/lib64/python3.9/site-packages"}

_CONTROL = """Package: {name}
Version: {version}
Architecture: amd64
Maintainer: The vendor <vendor@example.org>
Depends: python3
{fields}
Description: the vendor's own _tls_bootstrap
"""

#: Without it rpm would see that the files are the same, and let both packages own them.
MARK = "# the vendor's"

_SPEC = """Name: {name}
Version: {version}
Release: 1
Summary: The vendor's own _tls_bootstrap
License: Apache-2.0
AutoReqProv: no
{fields}
%global __os_install_post %{{nil}}
%global debug_package %{{nil}}
%global _build_id_links none
%description
The vendor's own.
%install
mkdir -p %{{buildroot}}{parent}
cp -a {origin} %{{buildroot}}{place}
echo "{mark}" >> %{{buildroot}}{place}/__init__.py
%files
{place}
"""

FIELDS = {
    ("apt", "same name"): "Provides: python3-tls-bootstrap-api-1",
    ("apt", "policy"): "Provides: python3-tls-bootstrap-api-1\nConflicts: python3-tls-bootstrap\nReplaces: python3-tls-bootstrap",
    ("apt", "careless"): "Section: python",
    ("dnf", "same name"): "Provides: python3-tls-bootstrap-api-1",
    ("dnf", "policy"): "Provides: python3-tls-bootstrap-api-1\nProvides: python3-tls-bootstrap = 9\n"
    "Obsoletes: python3-tls-bootstrap < 9",
    ("dnf", "careless"): "Group: Python",
}


def package(system, name, kind, *, place=None):
    """Build a vendor's package of what is installed; returns its path inside the root."""
    site = SITE[system.kind]
    origin, target = f"{site}/_tls_bootstrap", place or f"{site}/_tls_bootstrap"
    work = f"/var/tmp/vendor-{kind.replace(' ', '-')}"
    fields = FIELDS[system.kind, kind]
    directory = system.root.path / work.lstrip("/")
    directory.mkdir()
    if system.kind == "dnf":
        parent = target.rpartition("/")[0]
        text = _SPEC.format(name=name, version="9", fields=fields, parent=parent, origin=origin, place=target, mark=MARK)
        system.root.write(f"{work}/vendor.spec", text)
        system.root.run(["rpmbuild", "-bb", "--define", f"_topdir {work}", f"{work}/vendor.spec"])
        (made,) = directory.rglob(f"{name}-9-1*.rpm")
        return str(made)[len(str(system.root.path)) :]
    tree = directory / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN" / "control").write_text(_CONTROL.format(name=name, version="9", fields=fields))
    (tree / target.rpartition("/")[0].lstrip("/")).mkdir(parents=True)
    run(["cp", "-a", system.root.path / origin.lstrip("/"), tree / target.lstrip("/")])
    with open(tree / target.lstrip("/") / "__init__.py", "a", encoding="utf-8") as init:
        init.write(f"{MARK}\n")
    run(["find", tree, "-name", "__pycache__", "-prune", "-exec", "rm", "-r", "{}", "+"])
    run(["dpkg-deb", "--root-owner-group", "--build", tree, directory / f"{name}.deb"])
    return f"{work}/{name}.deb"
