# SPDX-License-Identifier: Apache-2.0
"""The bills of materials of all published packages are what SPDX's own validator calls valid."""

import json
from pathlib import Path

import pytest
from toolkit import tools
from toolkit.commands import run

PROGRAM = Path(__file__).with_name("validate_bills.py")


@pytest.fixture(scope="module")
def findings():
    """Validates files: path -> messages, empty where all are valid."""
    python = tools.environment(tools.LIFE_CYCLE) / "bin" / "python"
    return lambda paths: json.loads(run([python, PROGRAM, *paths], errors_apart=True).output)


def test_every_published_package_has_a_valid_bill(repositories, findings):
    bills = sorted((repositories / "sbom").iterdir())
    assert len(bills) >= 100
    assert findings(bills) == {}


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("SPDXRef-DOCUMENT", "SPDXRef_DOCUMENT", "SPDXRef"),
        ("Apache-2.0", "Apache-9", "license"),
        ("SHA256", "SHA257", "SHA257"),
    ],
)
def test_a_bill_that_is_not_valid_is_found(repositories, findings, tmp_path, before, after, complaint):
    bill = next((repositories / "sbom").iterdir())
    spoilt = tmp_path / bill.name
    spoilt.write_text(bill.read_text().replace(f'"{before}', f'"{after}'))
    (messages,) = findings([spoilt]).values()
    assert any(complaint.lower() in message.lower() for message in messages), messages
