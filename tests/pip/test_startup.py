# SPDX-License-Identifier: Apache-2.0
"""The measurement of what the hook costs a start: files that certainly cost something are seen, and so is what is no hook.

What is compared is what each start must use by its own clock of CPU time; no test expects that something is fast.
"""

from __future__ import annotations

import pytest
from toolkit.commands import CommandError
from toolkit.pip_matrix import startup
from toolkit.pip_matrix.startup import ANY, BARE, BOTH, HOOK, OTHER, Cost

BURNED = 100
#: Lines for a .pth file. os.times is CPU time on 2.7 too.
BURN = f"import os; exec('import os\\nend = sum(os.times()[:2]) + {BURNED / 1000}\\nwhile sum(os.times()[:2]) < end: pass', {{}})\n"
#: Not to wait for anything: the control that time which passes is not taken for time of the processor.
WAIT = f"import time; time.sleep({2 * BURNED / 1000})\n"


@pytest.fixture(params=["2.7", "3.6", "3.9", "3.13"])
def subject(request, make) -> startup.Subject:
    return startup.installed(make(request.param))


def shelve(subject: startup.Subject, **files: str) -> list[str]:
    """Put .pth files on the subject's shelf; returns the hook's."""
    hook = startup.put_on_shelf(subject)
    for name, text in files.items():
        (subject.top / startup.shelf(subject.site).lstrip("/") / f"{name}.pth").write_text(text, encoding="ascii")
    return hook


def below(subject: startup.Subject, directory: str) -> list[str]:
    place = subject.top / directory.lstrip("/")
    return sorted(str(path.relative_to(place)) for path in place.rglob("*") if path.name != "starts.py")


def test_cpu_time_of_the_variant_alone_is_counted(subject):
    """A .pth file that burns CPU is seen for that variant; one that only waits is not taken for it."""
    shelve(subject, burn=BURN, wait=WAIT)
    before = below(subject, subject.site), below(subject, startup.shelf(subject.site))
    times = startup.compare(subject, {BARE: [], ANY: ["burn.pth"], OTHER: ["wait.pth"]}, rounds=2)
    assert all(1 <= len(found) <= 2 for found in times.values())
    assert min(times[ANY]) - max(times[BARE]) > BURNED / 2
    assert min(times[ANY]) - max(times[OTHER]) > BURNED / 2
    assert (below(subject, subject.site), below(subject, startup.shelf(subject.site))) == before


def test_the_hook_is_there_in_its_variants_and_not_in_the_others(subject):
    hook = shelve(subject)
    assert any(name.endswith(".pth") for name in hook)
    assert any(name.endswith(".pyc") for name in hook)
    assert below(subject, subject.site) == ["__pycache__"] * (subject.python != "2.7")
    startup.compare(subject, {BARE: [], HOOK: hook, BOTH: hook}, rounds=1)
    without = [name for name in hook if not name.endswith(".pth")]
    with pytest.raises(CommandError, match="sys.meta_path"):
        startup.compare(subject, {BARE: [], HOOK: without}, rounds=1)
    with pytest.raises(CommandError, match="sys.meta_path"):
        startup.compare(subject, {BARE: [], ANY: hook}, rounds=1)


@pytest.mark.parametrize("line, message", [
    ("import os; os._exit(3)\n", "-c pass ended with status 3"),
    ("import no_such_module\n", "a start printed Error processing line 1"),
])
def test_a_start_that_fails_ends_the_measurement(subject, line, message):
    shelve(subject, wrong=line)
    with pytest.raises(CommandError, match=message):
        startup.compare(subject, {BARE: ["wrong.pth"]}, rounds=1)


def test_the_verdict_is_about_what_the_hook_costs():
    within, more = (str(Cost("3.13", "Debian trixie", 12.0, 0.3, hook, 0.1)) for hook in (0.5, 0.51))
    assert "0.50 ms, within 0.5, of which 0.30 any .pth file costs and 0.20 are ours; 0.10 beside" in within
    assert "0.51 ms, MORE THAN 0.5" in more
