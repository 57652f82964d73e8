# SPDX-License-Identifier: Apache-2.0
"""`make life-cycle`: the tests of the packages' whole life on real managers, which are too long for `make test`.

    python -m toolkit.life_cycle [PYTEST ARGUMENTS]

LIFE_CYCLE="tests/life_cycle/test_kills.py -k apt" on make's command line becomes these arguments.
"""

from __future__ import annotations

from openssl.errors import BuildError, run_main
from toolkit import deps, interpreters, tools

_TESTS = "tests/life_cycle"
#: Seconds after which the run is ended, which holds what `make test` spreads over many.
_LIMIT = 3 * 3600


def main(arguments: list[str]) -> int:
    """Run them; 0 when all pass. What a test prints (kill points, seeds) is in the log."""
    deps.main(["--life-cycle"])
    paths = [] if any(word.startswith(_TESTS) for word in arguments) else [_TESTS]
    words, variables = ["-rP", *arguments], {"PYTHONPATH": "src"}
    pytest = tools.command("pytest")
    outcome = interpreters.run_pytest(pytest, "life-cycle", paths, variables, words, progress=True, limit=_LIMIT)
    interpreters.tell(outcome)
    if outcome.complaint:
        raise BuildError(f"{outcome.complaint}; see {outcome.log}")
    return interpreters.summarise([outcome])


if __name__ == "__main__":
    run_main(main)
