# SPDX-License-Identifier: Apache-2.0
"""index.html of the repositories: one file that needs nothing else."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

from toolkit import releases, repository
from toolkit.releases import Release
from toolkit.releases_packages import KEYRING, RELEASE

_STYLE = """
body { font: 16px/1.5 sans-serif; max-width: 70em; margin: 2em auto; padding: 0 1em; color: #222; background: #fff }
table { border-collapse: collapse; font-size: 14px } th, td { border: 1px solid #bbb; padding: .3em .6em; text-align: left }
pre { background: #f3f3f3; padding: .8em; overflow-x: auto } h2 { margin-top: 2em } code { font-size: 90% }
"""


#: What a person who looks for packages asks; `make matrix` has the rest.
_COLUMNS = ("release", "Python 2", "Python 3", "more stacks", "packages for", "support ends", "proven here")


def _escape(text: str) -> str:
    return html.escape(text, quote=True)


def _commands(release: Release, url: str) -> str:
    """What an administrator types as root, from nothing to the installed hook."""
    if release.family == "rpm":
        manager = "yum" if "yum" in release.tools else "dnf"
        where = f"{url}/{repository.YUM}/{release.codename}/$(uname -m)/{RELEASE}-VERSION-1{release.suffix}.noarch.rpm"
        return (
            f"curl -o {repository.YUM_KEY_PATH} {url}/{repository.YUM}/{repository.YUM_KEY}\n"
            # Without these two what comes by an address is installed unverified.
            f"rpm --import {repository.YUM_KEY_PATH}\n"
            f"{manager} --setopt=localpkg_gpgcheck=1 install {where}\n"
            f"{manager} install tls-bootstrap-pip"
        )
    path, text = repository.apt_source(f"{url}/{repository.APT}", release)
    return (
        f"curl -o {repository.apt_key_path(release)} {url}/{repository.APT}/{repository.APT_KEY}\n"
        f"cat > {path} <<'END'\n{text}END\napt-get update\napt-get install {KEYRING} tls-bootstrap-pip"
    )


def _files(release: Release, top: Path) -> Sequence[Path]:
    where = f"{repository.APT}/{repository.pool(release)}" if release.family == "deb" else f"{repository.YUM}/{release.codename}"
    return sorted(path for path in (top / where).rglob("*") if path.suffix in (".deb", ".rpm", ".dsc"))


def page(top: Path, served: Sequence[Release], version: str, url: str) -> str:
    """The page for repositories in ``top`` whose address is ``url``."""
    header, *lines = releases.columns(_COLUMNS)
    known = {release.title: release for release in served}
    parts = [
        "<!DOCTYPE html>", '<html lang="en"><head><meta charset="utf-8"><title>tls-bootstrap packages</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<style>{_STYLE}</style></head><body>",
        f"<h1>tls-bootstrap {_escape(version)}: packages</h1>",
        "<p>Modern TLS for the pip of a frozen system Python. Packages and indexes are signed; plain http is enough, since the "
        "signatures protect them. Check the key's fingerprint by another way than this page: <code>@FINGERPRINT@</code>. "
        '<a href="SHA256SUMS">SHA256SUMS</a> (<a href="SHA256SUMS.asc">signature</a>) names every file.</p>',
        f"<h2>Releases</h2><p>{_escape(releases.LEGEND)}</p><table><tr>",
        *(f"<th>{_escape(cell)}</th>" for cell in header), "</tr>",
    ]  # fmt: skip
    for line in lines:
        if line[0] in known:
            anchor = f'<a href="#{known[line[0]].name}">{_escape(line[0])}</a>'
            parts += ["<tr>", f"<td>{anchor}</td>", *(f"<td>{_escape(cell)}</td>" for cell in line[1:]), "</tr>"]
    parts.append("</table>")
    for release in served:
        parts.append(f'<h2 id="{release.name}">{_escape(release.title)}</h2>')
        parts.append(f"<pre>{_escape(_commands(release, url).replace('VERSION', version))}</pre><ul>")
        for path in _files(release, top):
            name = path.relative_to(top)
            bill = f' (<a href="sbom/{_escape(path.name)}.spdx.json">SPDX</a>)'
            parts.append(f'<li><a href="{_escape(str(name))}">{_escape(path.name)}</a>, {path.stat().st_size} bytes{bill}</li>')
        parts.append("</ul>")
    return "\n".join([*parts, "</body></html>"]) + "\n"
