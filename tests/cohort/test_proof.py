"""Nothing is orphaned or double, wherever apply or destroy is cut; and the proof itself can fail."""

from __future__ import annotations

import time

import pytest

from fpgaclass.cohort.testing.proof import main, prove

pytest.importorskip("moto", reason="moto is not installed")


def _shares() -> list[object]:
    """All cases, in shares that two workers can take in turn."""
    return [
        pytest.param(provider, (n, of), least, marks=pytest.mark.xdist_group(f"proof of {provider} {n}"))
        for provider, of, least in (("aws", 4, 100), ("infn", 2, 70))
        for n in range(of)
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("provider", "share", "least"), _shares())
def test_every_call_can_be_cut(provider: str, share: tuple[int, int], least: int) -> None:
    """SIGKILL and lost answers, before and after each call, and three recoveries; the cloud is the judge."""
    started = time.monotonic()
    proof = prove(provider, share=share)
    took = time.monotonic() - started
    calls = f"{proof.apply_calls} + {proof.destroy_calls} calls"
    print(f"{provider} {share}: {calls}, {proof.cases} cases in {took:.0f} s (measured)")
    assert proof.cases >= least
    assert proof.bad == ()


AFTER = ("lost-after", "kill-after")


def test_the_proof_notices_a_missing_token() -> None:
    """A new machine is not listed at once: only the token then keeps a repeated call from making a second."""
    asked = {"modes": AFTER, "recoveries": ("resume",), "verbs_cut": ("apply",), "only": "RunInstances"}
    assert prove("aws", lag_s=0.6, **asked).bad == ()  # type: ignore[arg-type]
    planted = prove("aws", lag_s=0.6, plant="no token", **asked)  # type: ignore[arg-type]
    assert planted.bad
    assert all("double after resume" in what for _, what in planted.bad)


def test_the_documented_command_finds_the_planted_leak(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where everything is listed at once, a missing token does no harm, and nothing would be found."""
    monkeypatch.setattr("sys.argv", ["proof", "aws", "--plant", "no token"])
    assert main() == 1
    assert "double after resume" in capsys.readouterr().out


@pytest.mark.parametrize("provider", ["aws", "infn"])
def test_the_proof_notices_missing_tags(provider: str) -> None:
    """With the state lost, tags are all there is; without them the machines stay and cost."""
    call = "RunInstances" if provider == "aws" else "POST"
    asked = {"modes": ("kill-after",), "recoveries": ("state lost",), "verbs_cut": ("apply",), "only": call}
    left = [what for case, what in prove(provider, plant="no tags", **asked).bad if case.call]  # type: ignore[arg-type]
    assert left
    assert all("left: {'machine '" in what for what in left)


def test_the_proof_notices_a_missing_look() -> None:
    """The Orchestrator takes no token: who repeats a lost POST without looking has two machines."""
    asked = {"modes": AFTER, "recoveries": ("resume",), "verbs_cut": ("apply",), "only": "POST"}
    assert prove("infn", plant="no look", **asked).bad  # type: ignore[arg-type]
