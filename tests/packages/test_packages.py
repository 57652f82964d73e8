# SPDX-License-Identifier: Apache-2.0
"""What is in the packages, and that distributions' own checkers accept them."""

import hashlib
import re
import subprocess

import pytest
from conftest import WORK, fresh_root
from toolkit import packages as building
from toolkit import packages_debian, packages_rpm, published, releases, repository, roots
from toolkit.commands import CommandError, run
from toolkit.releases import TOP

SOURCE = building.Source()
CORES = {"python3": "py3/_tls_bootstrap/_core.abi3.so", "python2": "py2/_tls_bootstrap/_core.so"}


def output_of(*arguments):
    return run(arguments, errors_apart=True).output


def named(packages, name, suffix):
    """The package of this name; the version starts behind it with a digit."""
    found = [path for path in packages if re.match(re.escape(name) + r"[-_]\d", path.name) and path.suffix == suffix]
    assert len(found) == 1, f"{name}: {found}"
    return found[0]


def unpacked(package, directory):
    directory.mkdir()
    if package.suffix == ".deb":
        run(["dpkg-deb", "--extract", package, directory])
    else:
        with subprocess.Popen(["rpm2cpio", package], stdout=subprocess.PIPE) as archive:
            subprocess.run(
                ["cpio", "--quiet", "-idm"], stdin=archive.stdout, cwd=directory, check=True, stderr=subprocess.PIPE
            )
    return directory


def files_below(directory):
    return {str(path.relative_to(directory)) for path in directory.rglob("*") if not path.is_dir()}


def test_the_names_are_those_of_the_architecture(packages):
    wanted = {
        "tls-bootstrap", "tls-bootstrap-pip", "python2-tls-bootstrap", "python2-tls-bootstrap-pip", "python3-tls-bootstrap",
        "python3-tls-bootstrap-pip",
    }
    for suffix in (".deb", ".rpm"):
        assert {re.match(r"[a-z0-9-]+?(?=[-_]\d)", path.name)[0] for path in packages if path.suffix == suffix} == wanted


@pytest.mark.parametrize("suffix", [".deb", ".rpm"])
@pytest.mark.parametrize("stack", sorted(CORES))
def test_the_packaged_core_is_the_portable_one_to_the_byte(packages, stack, suffix, tmp_path):
    place = unpacked(named(packages, f"{stack}-tls-bootstrap", suffix), tmp_path / "files")
    (core,) = place.rglob("_core*.so")
    built = published.portable_tree() / CORES[stack]
    assert hashlib.sha256(core.read_bytes()).digest() == hashlib.sha256(built.read_bytes()).digest()


def test_no_package_shows_itself_to_pip_list(packages, tmp_path):
    for number, package in enumerate(packages):
        names = files_below(unpacked(package, tmp_path / str(number)))
        assert not [name for name in names if ".dist-info" in name or ".egg-info" in name]


def test_rpms_carry_the_byte_code_of_every_level(packages, tmp_path):
    for number, name in enumerate(["python3-tls-bootstrap", "python3-tls-bootstrap-pip"]):
        names = files_below(unpacked(named(packages, name, ".rpm"), tmp_path / str(number)))
        sources = [path for path in names if path.endswith(".py")]
        assert sources
        for path in sources:
            directory, _, module = path[: -len(".py")].rpartition("/")
            for kind in ("", ".opt-1", ".opt-2"):
                assert f"{directory}/__pycache__/{module}.cpython-39{kind}.pyc" in names
    for number, name in enumerate(["python2-tls-bootstrap", "python2-tls-bootstrap-pip"], 2):
        names = files_below(unpacked(named(packages, name, ".rpm"), tmp_path / str(number)))
        sources = [path for path in names if path.endswith(".py")]
        assert sources and {path + kind for path in sources for kind in "co"} < names


def test_the_module_packages_of_rpm_have_no_scriptlet(packages):
    for stack in CORES:
        package = named(packages, f"{stack}-tls-bootstrap", ".rpm")
        assert output_of("rpm", "-qp", "--scripts", "--triggers", "--filetriggers", package) == ""


@pytest.mark.parametrize("stack", sorted(CORES))
def test_rpms_provide_the_interface_and_the_bundled_openssl_but_no_library(packages, stack):
    provided = output_of("rpm", "-qp", "--provides", named(packages, f"{stack}-tls-bootstrap", ".rpm")).splitlines()
    assert f"{stack}-tls-bootstrap-api-1" in provided
    assert f"bundled(openssl) = {SOURCE.openssl_version}" in provided
    assert not [line for line in provided if ".so" in line]


def test_old_tools_can_read_what_is_published(packages):
    for package in packages:
        if package.suffix == ".deb":
            members = output_of("ar", "t", package).split()
            assert members == ["debian-binary", "control.tar.gz", "data.tar.xz"], package
        else:
            assert output_of("rpm", "-qp", "--queryformat", "%{PAYLOADCOMPRESSOR}", package) == "gzip", package


def test_nothing_needs_a_newer_glibc_than_the_oldest_release_has(packages):
    for stack in CORES:
        fields = output_of("dpkg-deb", "--field", named(packages, f"{stack}-tls-bootstrap", ".deb"), "Depends")
        (floor,) = re.findall(r"libc6 \(>= ([0-9.]+)\)", fields)
        assert tuple(map(int, floor.split("."))) <= (2, 17)
        needed = output_of("rpm", "-qp", "--requires", named(packages, f"{stack}-tls-bootstrap", ".rpm"))
        floors = [tuple(map(int, text.split("."))) for text in re.findall(r"\(GLIBC_([0-9.]+)\)", needed)]
        assert floors and max(floors) <= (2, 17)


def test_lintian_has_nothing_to_say_that_is_not_explained(packages):
    debs = [path for path in packages if path.suffix == ".deb"]
    done = run(
        ["lintian", "--allow-root", "--pedantic", "--fail-on", "warning", "--tag-display-limit", "0", *debs], check=False
    )
    assert (done.status, re.findall(r"^[EWP]: .*", done.output, re.MULTILINE)) == (0, [])


def test_rpmlint_has_nothing_to_say_that_is_not_explained(published_repositories):
    signed = sorted((published_repositories / repository.YUM).rglob("*.rpm"))
    configuration = TOP / "rpm" / "tls-bootstrap.rpmlintrc.toml"
    done = run(["rpmlint", "--config", configuration, *signed, TOP / "rpm" / "tls-bootstrap.spec"], check=False)
    assert re.findall(r"^\S+: [EW]: .*", done.output, re.MULTILINE) == [], done.output
    assert done.status == 0, done.output


def test_the_changelogs_are_made_of_the_one_changelog(packages):
    newest = building.changes((TOP / "CHANGES.md").read_text(encoding="utf-8"))[0]
    assert newest.version == SOURCE.version
    words = newest.items[0].split()[:3]
    text = output_of("rpm", "-qp", "--changelog", named(packages, "tls-bootstrap", ".rpm"))
    assert f"- {newest.version}-1" in text and " ".join(words) in text


def test_a_heading_that_cannot_be_read_is_named():
    with pytest.raises(ValueError, match=r"CHANGES.md:3: expected '## VERSION \(YYYY-MM-DD\)', found '## next'"):
        building.changes("# Changes\n\n## next\n* a change\n")


def test_control_has_what_its_release_and_flavour_have():
    template = (TOP / "debian" / "control.in").read_text(encoding="utf-8")
    old, new = (packages_debian.control(template, releases.by_name(name)) for name in ("trusty", "trixie"))
    assert "Package: python2-tls-bootstrap-pip" in old and "python2" not in new
    assert "debhelper (>= 9)," in old and "debhelper-compat (= 13)," in new
    assert "own copy of OpenSSL" in new and "libssl-dev" not in new
    system = packages_debian.control(template, releases.by_name("trixie"), "system")
    assert "own copy of OpenSSL" not in system and "libssl-dev" in system


def test_only_a_source_package_with_openssl_has_lintians_overrides_for_it():
    text = (TOP / "debian" / "source" / "lintian-overrides").read_text(encoding="utf-8")
    assert packages_debian.source_overrides(text, "bundled") == text
    system = packages_debian.source_overrides(text, "system")
    gone = [line for line in text.splitlines() if line not in system.splitlines()]
    assert [line.startswith("#") for line in gone] == [True, False, False, False]
    assert all("openssl" in line.lower() for line in gone)


def test_a_line_of_control_that_stands_for_nothing_is_refused():
    with pytest.raises(ValueError, match="@COLOUR@ stands for nothing"):
        packages_debian.control("Colour: @COLOUR@\n", releases.by_name("trixie"))


def test_the_spec_names_the_versions_of_the_tree():
    text = (TOP / "rpm" / "tls-bootstrap.spec").read_text(encoding="utf-8")
    assert f"%global upstream_version {SOURCE.version}\n" in text
    assert f"%global openssl_version {SOURCE.openssl_version}\n" in text


def test_the_spec_refuses_to_package_another_openssl_than_it_names(built):
    """%check compares Provides: bundled(openssl) with what the module reports."""
    root = fresh_root(roots.RPM, "spec-check")
    try:
        packages_rpm.lay_out(root, SOURCE, WORK / "spec-check")
        arguments = (root, SOURCE, WORK / "spec-check", releases.by_name("el9"), packages_rpm.root_machine())
        assert packages_rpm.build(*arguments, {"3.9": "/usr/bin/python3.9"})
        place = root.path / "rpmbuild"
        spec = place / "SPECS" / packages_rpm.SPEC
        spec.write_text(spec.read_text().replace(f"openssl_version {SOURCE.openssl_version}", "openssl_version 9.9.9"))
        tarball = place / "SOURCES" / f"openssl-{SOURCE.openssl_version}.tar.gz"
        tarball.rename(tarball.with_name("openssl-9.9.9.tar.gz"))
        with pytest.raises(CommandError):
            packages_rpm.build(*arguments, {"3.9": "/usr/bin/python3.9"})
        assert f"+ test {SOURCE.openssl_version} = 9.9.9\n" in root.log.read_text()
    finally:
        root.remove()


#: What stands on the two pages: a newer version, and one that is not for this package.
PAGES = {
    "example.org/tls-bootstrap/releases": ["tls-bootstrap-0.0.1.tar.gz", "tls-bootstrap-99.0.tar.gz", "tls-bootstrap-99.1.zip"],
    "openssl-library.org/source": ["/files/openssl-3.5.98/openssl-3.5.98.tar.gz", "/files/openssl-3.6.99/openssl-3.6.99.tar.gz"],
}


def test_watch_finds_newer_versions_of_both_sources(tmp_path):
    """By uscan, on pages that are links alone, as the publishers' have them."""
    for place, links in PAGES.items():
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "index.html").write_text("".join(f'<a href="{link}">{link}</a>\n' for link in links))
    text = (TOP / "debian" / "watch").read_text(encoding="utf-8")
    assert SOURCE.openssl_version.rpartition(".")[0].replace(".", "\\.") in text
    with repository.served(tmp_path) as url:
        watch = tmp_path / "watch"
        watch.write_text(text.replace("https://", f"{url}/"))
        words = ["--no-download", "--dehs", "--watchfile", watch, "--package", "tls-bootstrap"]
        said = output_of("uscan", *words, "--upstream-version", SOURCE.version)
    assert "<upstream-version>99.0</upstream-version>" in said
    assert "<component-upstream-version>3.5.98</component-upstream-version>" in said
