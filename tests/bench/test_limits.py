# SPDX-License-Identifier: Apache-2.0
"""What `make bench` explains missed times with: the cipher without TLS, and simulated caches."""

from __future__ import annotations

import pytest
from toolkit import interpreters
from toolkit.bench import instructions, limits, report
from toolkit.bench.goals import CONTROL, REFERENCE, Measurement, bulk
from toolkit.bench.workers import Contender, Crew, Equipment

#: Seconds; callgrind is fifty times slower than the processor, and with caches a hundred times.
pytestmark = pytest.mark.timeout(900)

#: Any Python will do, and there is one.
NEWEST = [item.name for item in interpreters.find() if not item.free_threaded][-1]

TRANSFERS = {each.name: each for each in bulk(quick=False)}


@pytest.fixture(scope="module")
def crew() -> Crew:
    return Crew(Equipment.prepare((NEWEST,)))


@pytest.fixture
def bare(crew: Crew) -> Contender:
    if NEWEST not in crew.equipment.bare:
        pytest.skip(f"the C headers of Python {NEWEST} are not installed")
    return Contender("bare", NEWEST)


def grown(crew: Crew, who: Contender, short: Measurement, long: Measurement) -> int:
    """Instructions that 32 records of 16 KiB take more than 32 of 1 KiB."""
    (few, many) = instructions.events(crew, {who: [short, long]})[who]
    return many["Ir"] - few["Ir"]


@pytest.mark.parametrize("suite", ["aes128", "chacha20"])
def test_the_cipher_alone_does_what_it_does_in_a_transfer(suite: str, crew: Crew) -> None:
    """The rest that C has for each byte are copies, of 32 bytes an instruction; encryption alone would be a half."""
    transfer = grown(crew, REFERENCE, TRANSFERS[f"bulk tls13 {suite} 1024"], TRANSFERS[f"bulk tls13 {suite} 16384"])
    alone = grown(crew, limits.CIPHER, limits.alone(suite, 1024), limits.alone(suite, 16384))
    assert 0.8 < alone / transfer < 1.0


def test_the_fewest_copies_move_the_same_records_with_less(crew: Crew) -> None:
    transfer = TRANSFERS["bulk tls13 aes128 16384"]
    counted = instructions.events(crew, {REFERENCE: [transfer], limits.FEWEST: [limits.fewest("aes128", 16384)]})
    alone = instructions.events(crew, {limits.CIPHER: [limits.alone("aes128", 16384)]})[limits.CIPHER][0]["Ir"]
    assert alone < counted[limits.FEWEST][0]["Ir"] < counted[REFERENCE][0]["Ir"]


def test_a_bare_module_does_the_same_work_with_less(crew: Crew, bare: Contender) -> None:
    """Less than ours, and more than C with as few copies: it pays for the interpreter."""
    transfers = [TRANSFERS["bulk tls13 aes128 16384"], TRANSFERS["bulk tls12 chacha20 1048576 into"]]
    ours = Contender("module", NEWEST)
    counted = instructions.events(crew, dict.fromkeys((ours, bare), transfers))
    assert all(few["Ir"] < many["Ir"] for few, many in zip(counted[bare], counted[ours]))
    alone = instructions.events(crew, {limits.FEWEST: [limits.fewest("aes128", 16384)]})[limits.FEWEST][0]["Ir"]
    assert alone < counted[bare][0]["Ir"]


def test_simulated_caches_change_no_count(crew: Crew) -> None:
    work = {REFERENCE: [TRANSFERS["bulk tls13 aes128 1024"]]}
    (plain,) = instructions.events(crew, work)[REFERENCE]
    (simulated,) = instructions.events(crew, work, *limits.SIMULATION)[REFERENCE]
    assert set(plain) == {"Ir"} and simulated["Ir"] == pytest.approx(plain["Ir"], rel=0.001)
    assert {name for parts in limits.EVENTS.values() for name in parts} <= set(simulated)


def test_everybody_has_a_figure_for_each_transfer_and_each_kind_of_work(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TRANSFERS", (("aes128", 1024),))
    found = limits.find(crew, 1, 1, 0.001)
    ours, bare = Contender("module", NEWEST), [Contender("bare", name) for name in crew.equipment.bare]
    assert {name: set(costs) for name, costs in found["records"].items()} == {
        "bulk tls13 aes128 1024": {str(who) for who in (REFERENCE, ours, *bare, limits.CIPHER, limits.FEWEST, CONTROL)}
    }
    assert {name: set(counted) for name, counted in found["events"].items()} == {
        name: {"C", str(ours)} for name in ("bulk tls13 aes128 1024", "handshake tls12 ec X25519 full")
    }
    assert all(cost > 0 for costs in found["records"].values() for cost in costs.values())
    assert all(counts["instructions"] > 1000 for each in found["events"].values() for counts in each.values())


def test_the_table_tells_what_is_beside_the_cipher() -> None:
    found = {
        "records": {"bulk": {"C": 6.7, "module 3.11": 7.2, str(limits.CIPHER): 3.1}},
        "events": {"handshake": {"C": dict.fromkeys(limits.EVENTS, 1500)}},
    }
    lines = [line.split("  ") for line in report.columns(limits.rows(found)).splitlines()]
    cells = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    assert cells[1:4] == [
        ["bulk", "C", "6.70", "3.60"], ["bulk", "module 3.11", "7.20", "4.10"], ["bulk", "C cipher alone", "3.10", "0.00"],
    ]  # fmt: skip
    assert cells[4:] == [["kind of work", "who", *limits.EVENTS], ["handshake", "C", *["1.5k"] * 4]]
